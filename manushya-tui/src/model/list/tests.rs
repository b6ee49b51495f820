//! Pages, marks, order and the walk of a filter.

use super::*;

#[derive(Clone, Debug)]
struct Row(u32);

impl Item for Row {
    const COLUMNS: &'static [&'static str] = &["PARITY", "NUMBER"];
    fn key(&self, column: &str) -> Key {
        match column {
            "PARITY" => Key::text(if self.0.is_multiple_of(2) {
                "even"
            } else {
                "odd"
            }),
            _ => Key::Number(f64::from(self.0)),
        }
    }
    fn id(&self) -> String {
        self.0.to_string()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("number", self.0.to_string()),
            (
                "parity",
                if self.0.is_multiple_of(2) {
                    "Even"
                } else {
                    "Odd"
                }
                .into(),
            ),
        ]
    }
    fn json(&self) -> String {
        self.0.to_string()
    }
}

fn listed(rows: std::ops::Range<u32>, next: Option<&str>) -> Listed<Row> {
    Listed {
        items: rows.map(Row).collect(),
        next: next.map(str::to_owned),
        total: 1000,
    }
}

#[test]
fn filter_takes_words_fields_and_their_contrary() {
    let admits = |text: &str, row: u32| Filter { text: text.into() }.admits(&Row(row).fields());
    assert!(admits("even", 12) && !admits("even", 13));
    assert!(admits("!parity=even 1", 13) && !admits("!parity=even 1", 35));
    assert!(admits("number=1 !3", 12) && !admits("number=1 !3", 13));
    assert!(admits("!", 1) && admits("", 1));
}

#[test]
fn selection_stays_on_its_row_when_rows_come_and_go() {
    let mut list = List::default();
    list.take(listed(0..10, None), UnixMillis(0));
    list.select("7");
    list.take(listed(5..20, None), UnixMillis(0));
    assert_eq!(list.current().map(Item::id).as_deref(), Some("7"));
    list.push((20..30).map(Row), 12);
    assert_eq!(list.len(), 12);
    list.set_filter("odd");
    assert_eq!(list.len(), 6);
}

#[test]
fn rows_are_sorted_by_a_column_and_back_again() {
    let mut list = List::default();
    list.take(listed(0..12, None), UnixMillis(0));
    let shown = |list: &List<Row>| list.rows().map(|row| row.0).collect::<Vec<_>>();
    list.select("3");
    assert_eq!(list.sort_by_next().map(|sort| sort.column), Some("PARITY"));
    assert_eq!(shown(&list)[..7], [0, 2, 4, 6, 8, 10, 1]);
    assert_eq!(list.current().map(Item::id).as_deref(), Some("3"));
    list.turn_around();
    assert_eq!(shown(&list)[..3], [1, 3, 5]);
    list.sort_by_next();
    list.turn_around();
    assert_eq!(shown(&list)[..3], [11, 10, 9]);
    assert!(list.sort_by_next().is_none());
    assert_eq!(shown(&list)[..3], [0, 1, 2]);
}

#[test]
fn filter_walks_over_all_pages_and_holds_only_what_it_admits() {
    let mut list = List::default();
    list.set_filter("parity=odd");
    assert!(list.take(listed(0..200, Some("a")), UnixMillis(0)));
    // It begins at the start with larger pages.
    assert!(list.page().cursor.is_none() && list.page().limit > Some(PAGE_ROWS));
    assert!(list.take(listed(0..500, Some("b")), UnixMillis(0)));
    assert_eq!(list.page().cursor.as_deref(), Some("b"));
    assert!(!list.take(listed(500..1000, None), UnixMillis(0)));
    assert_eq!(list.len(), 500);
    assert!(!list.is_walking() && !list.start_walk());
    // Another filter walks anew, none goes back to the first page.
    list.set_filter("77");
    assert!(list.start_walk() && list.page().cursor.is_none());
    list.set_filter("");
    assert!(list.start_walk());
    assert_eq!(list.page().limit, Some(PAGE_ROWS));
    assert!(!list.take(listed(0..200, Some("a")), UnixMillis(0)));
}

#[test]
fn walk_ends_when_it_has_found_or_looked_at_enough() {
    let mut list = List::default();
    list.set_filter("parity=even");
    list.take(listed(0..200, Some("a")), UnixMillis(0));
    let mut pages = 0_u32;
    while list.take(
        listed(pages * 1000..(pages + 1) * 1000, Some("n")),
        UnixMillis(0),
    ) {
        pages += 1;
    }
    assert!(
        pages < 10 && list.len() <= walk::FOUND_MAX + 1000,
        "{pages}"
    );
    list.set_filter("nothing");
    list.start_walk();
    let mut pages = 0_u32;
    while list.take(
        listed(pages * 1000..(pages + 1) * 1000, Some("n")),
        UnixMillis(0),
    ) {
        pages += 1;
    }
    assert!(u64::from(pages) * 1000 <= walk::LOOKED_MAX, "{pages}");
    assert!(list.is_empty() && list.walk.as_ref().is_some_and(|walk| walk.cut_short));
}

#[test]
fn pages_are_left_at_their_ends() {
    let mut list = List::default();
    list.take(listed(0..200, Some("a")), UnixMillis(0));
    assert!(!list.bottom() && list.selected == 199);
    assert!(list.step(1));
    assert_eq!(list.page().cursor.as_deref(), Some("a"));
    assert_eq!(list.first(), 200);
    list.take(listed(200..400, None), UnixMillis(0));
    assert!(!list.step(-1) || list.selected == usize::MAX);
    list.take(listed(0..200, Some("a")), UnixMillis(0));
    assert_eq!((list.first(), list.selected), (0, 199));
    assert!(!list.top() && list.selected == 0);
}

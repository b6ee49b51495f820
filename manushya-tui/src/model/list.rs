//! One page of a list as it came from the daemon, with what is selected, marked and filtered.

use std::collections::BTreeSet;

use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::{Listed, Page};

use crate::effect::Tag;

/// How many rows one page has.
pub const PAGE_ROWS: u32 = 200;

/// Something that stands in a list.
pub trait Item {
    /// Names it, to the daemon too.
    fn id(&self) -> String;
    /// What a filter looks at: names and texts.
    fn fields(&self) -> Vec<(&'static str, String)>;
    /// It as JSON.
    fn json(&self) -> String;
}

/// How far a list is.
#[derive(Clone, Debug, Default)]
pub enum Load {
    /// Never asked for.
    #[default]
    Idle,
    /// Asked for.
    Loading(Tag),
    /// There.
    Ready,
    /// Refused.
    Failed(WireError),
}

/// Words that rows have to have, or must not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As typed.
    pub text: String,
}

impl Filter {
    /// Whether it lets a row through. Terms are separated by spaces; `!` inverts one, `field=` looks
    /// at one field.
    pub fn admits(&self, fields: &[(&'static str, String)]) -> bool {
        self.text.split_whitespace().all(|term| {
            let (inverted, term) = match term.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, term),
            };
            if term.is_empty() {
                return true;
            }
            let has = match term.split_once('=') {
                Some((name, value)) if fields.iter().any(|(field, _)| *field == name) => {
                    let value = value.to_lowercase();
                    fields
                        .iter()
                        .any(|(field, text)| *field == name && text.to_lowercase().contains(&value))
                }
                _ => {
                    let value = term.to_lowercase();
                    fields
                        .iter()
                        .any(|(_, text)| text.to_lowercase().contains(&value))
                }
            };
            has != inverted
        })
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct List<T> {
    /// The rows of the page.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: u64,
    /// How far it is.
    pub load: Load,
    /// Place of the selected row among the shown.
    pub selected: usize,
    /// Ids of marked rows.
    pub marks: BTreeSet<String>,
    /// What is shown.
    pub filter: Filter,
    /// When it came.
    pub as_of: Option<UnixMillis>,
    /// Whether something happened since that may have changed it.
    pub outdated: bool,
    cursors: Vec<Option<String>>,
    next: Option<String>,
    shown: Vec<usize>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            total: 0,
            load: Load::Idle,
            selected: 0,
            marks: BTreeSet::new(),
            filter: Filter::default(),
            as_of: None,
            outdated: false,
            cursors: vec![None],
            next: None,
            shown: Vec::new(),
        }
    }
}

impl<T: Item> List<T> {
    /// What to ask for this page.
    pub fn page(&self) -> Page {
        Page {
            limit: Some(PAGE_ROWS),
            cursor: self.cursors.last().cloned().flatten(),
        }
    }

    /// Place of the page's first row in the whole list, from 0.
    pub fn first(&self) -> u64 {
        (self.cursors.len() as u64 - 1) * u64::from(PAGE_ROWS)
    }

    /// Whether it is asked for under this tag.
    pub fn awaits(&self, tag: Tag) -> bool {
        matches!(self.load, Load::Loading(awaited) if awaited == tag)
    }

    /// Takes a page in; the selection stays on its row if that is still there.
    pub fn take(&mut self, listed: Listed<T>, now: UnixMillis) {
        let selected = self.current().map(Item::id);
        self.items = listed.items;
        self.total = listed.total;
        self.next = listed.next;
        self.load = Load::Ready;
        self.as_of = Some(now);
        self.outdated = false;
        self.refilter();
        let ids: BTreeSet<String> = self.items.iter().map(Item::id).collect();
        self.marks.retain(|id| ids.contains(id));
        if let Some(id) = selected {
            self.select(&id);
        }
    }

    /// Adds rows at the end and drops the oldest above `most`; the selection stays on its row.
    pub fn push(&mut self, rows: impl IntoIterator<Item = T>, most: usize) {
        let selected = self.current().map(Item::id);
        self.items.extend(rows);
        let surplus = self.items.len().saturating_sub(most);
        self.items.drain(..surplus);
        self.total = self.items.len() as u64;
        self.load = Load::Ready;
        self.refilter();
        if let Some(id) = selected {
            self.select(&id);
        }
    }

    /// Forgets everything but the filter.
    pub fn reset(&mut self) {
        let filter = std::mem::take(&mut self.filter);
        *self = Self {
            filter,
            ..Self::default()
        };
    }

    /// Sets what is shown.
    pub fn set_filter(&mut self, text: &str) {
        let selected = self.current().map(Item::id);
        self.filter.text = text.to_owned();
        self.refilter();
        if let Some(id) = selected {
            self.select(&id);
        }
    }

    /// Selects the row with this id, if it is shown.
    pub fn select(&mut self, id: &str) {
        let place = self.rows().position(|item| item.id() == id);
        self.selected = place.unwrap_or(self.selected);
    }

    fn refilter(&mut self) {
        self.shown = (0..self.items.len())
            .filter(|place| {
                self.filter.text.is_empty() || self.filter.admits(&self.items[*place].fields())
            })
            .collect();
        self.selected = self.selected.min(self.shown.len().saturating_sub(1));
    }

    /// The rows that are shown.
    pub fn rows(&self) -> impl Iterator<Item = &T> {
        self.shown.iter().filter_map(|place| self.items.get(*place))
    }

    /// How many rows are shown.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether no row is shown.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// The selected row.
    pub fn current(&self) -> Option<&T> {
        self.items.get(*self.shown.get(self.selected)?)
    }

    /// The marked rows, or else the selected one.
    pub fn chosen(&self) -> Vec<&T> {
        if self.marks.is_empty() {
            return self.current().into_iter().collect();
        }
        self.items
            .iter()
            .filter(|item| self.marks.contains(&item.id()))
            .collect()
    }

    /// Moves the selection by so many rows; returns whether another page is wanted.
    pub fn step(&mut self, by: isize) -> bool {
        let last = self.len().saturating_sub(1);
        let wanted = self.selected.saturating_add_signed(by);
        if by > 0 && self.selected == last && self.next.is_some() {
            return self.next_page();
        }
        if by < 0 && self.selected == 0 && self.cursors.len() > 1 {
            self.cursors.pop();
            self.selected = usize::MAX;
            return true;
        }
        self.selected = wanted.min(last);
        false
    }

    fn next_page(&mut self) -> bool {
        if self.next.is_none() {
            return false;
        }
        self.cursors.push(self.next.take());
        self.items.clear();
        self.refilter();
        self.selected = 0;
        true
    }

    /// Goes to the first row, or from there to the first page.
    pub fn top(&mut self) -> bool {
        if self.selected == 0 && self.cursors.len() > 1 {
            self.cursors.truncate(1);
            return true;
        }
        self.selected = 0;
        false
    }

    /// Goes to the last row of the page, or from there to the next page.
    pub fn bottom(&mut self) -> bool {
        let last = self.len().saturating_sub(1);
        if self.selected == last && self.next.is_some() {
            return self.next_page();
        }
        self.selected = last;
        false
    }

    /// Marks the selected row, or takes its mark away.
    pub fn mark(&mut self) {
        if let Some(id) = self.current().map(Item::id)
            && !self.marks.remove(&id)
        {
            self.marks.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Row(u32);

    impl Item for Row {
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
}

//! One page of a list as it came from the daemon, with what is selected, marked and filtered.

use std::collections::BTreeSet;

use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::{Listed, Page};

use crate::effect::Tag;

use super::walk::{self, Walk};

/// How many rows one page has.
pub const PAGE_ROWS: u32 = 200;

/// What rows are sorted by: numbers before texts.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Key {
    /// By size.
    Number(f64),
    /// By letters, whatever their case.
    Text(String),
}

impl Key {
    /// A text to sort by.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_lowercase())
    }

    /// A moment to sort by; those that never were come first.
    pub fn moment(moment: Option<UnixMillis>) -> Self {
        Self::Number(moment.map_or(f64::NEG_INFINITY, |moment| moment.0 as f64))
    }
}

/// The column that rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Its heading.
    pub column: &'static str,
    /// Whether the largest comes first.
    pub is_falling: bool,
}

/// Something that stands in a list.
pub trait Item {
    /// Headings of the columns it can be sorted by.
    const COLUMNS: &'static [&'static str] = &[];
    /// What it is sorted by in one of these columns.
    fn key(&self, column: &str) -> Key {
        Key::text(column)
    }
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
    /// How the rows are sorted; none is the daemon's order.
    pub sort: Option<Sort>,
    /// The walk over all pages for what the filter admits.
    pub walk: Option<Walk>,
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
            sort: None,
            walk: None,
            cursors: vec![None],
            next: None,
            shown: Vec::new(),
        }
    }
}

impl<T: Item> List<T> {
    /// What to ask for this page.
    pub fn page(&self) -> Page {
        if let Some(walk) = &self.walk {
            return walk.page();
        }
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

    /// Takes a page in; the selection stays on its row if that is still there. Returns whether the next
    /// page is to be asked for, since the filter has not seen all rows yet.
    pub fn take(&mut self, listed: Listed<T>, now: UnixMillis) -> bool {
        let selected = self.current().map(Item::id);
        self.total = listed.total;
        match &mut self.walk {
            Some(walk) => {
                if walk.looked == 0 {
                    self.items.clear();
                }
                let filter = walk.filter.clone();
                walk.take(listed.items.len() as u64, listed.next);
                let admitted = listed
                    .items
                    .into_iter()
                    .filter(|item| filter.admits(&item.fields()));
                self.items.extend(admitted);
                walk.is_done |= self.items.len() >= walk::FOUND_MAX;
                self.next = None;
            }
            None => {
                self.items = listed.items;
                self.next = listed.next;
            }
        }
        self.load = Load::Ready;
        self.as_of = Some(now);
        self.outdated = false;
        self.refilter();
        let goes_on = self.walk.as_ref().is_some_and(|walk| !walk.is_done) || self.start_walk();
        if !goes_on {
            let ids: BTreeSet<String> = self.items.iter().map(Item::id).collect();
            self.marks.retain(|id| ids.contains(id));
        }
        if let Some(id) = selected {
            self.select(&id);
        }
        goes_on
    }

    /// Begins a walk over all pages if the filter has to see more than is here; returns whether a page
    /// is to be asked for.
    pub fn start_walk(&mut self) -> bool {
        let is_whole = self.walk.is_none() && self.cursors.len() == 1 && self.next.is_none();
        let was_walked = self
            .walk
            .as_ref()
            .is_some_and(|walk| walk.filter == self.filter);
        if self.filter.text.trim().is_empty() {
            return self.end_walk();
        }
        if is_whole || was_walked || matches!(self.load, Load::Idle | Load::Failed(_)) {
            return false;
        }
        self.walk = Some(Walk::new(self.filter.clone()));
        self.cursors = vec![None];
        self.next = None;
        true
    }

    /// Goes back to the first page after a walk; returns whether it is to be asked for.
    fn end_walk(&mut self) -> bool {
        let walked = self.walk.take().is_some();
        if walked {
            self.items.clear();
            self.refilter();
        }
        walked
    }

    /// Begins a walk that was done anew, for what changed meanwhile.
    pub fn walk_again(&mut self) {
        if let Some(walk) = &mut self.walk {
            *walk = Walk::new(self.filter.clone());
        }
    }

    /// Whether a walk is under way.
    pub fn is_walking(&self) -> bool {
        self.walk.as_ref().is_some_and(|walk| !walk.is_done)
    }

    /// Sorts by the next column, after the last as the daemon does; returns what it is sorted by.
    pub fn sort_by_next(&mut self) -> Option<Sort> {
        let place = self
            .sort
            .and_then(|sort| T::COLUMNS.iter().position(|column| *column == sort.column));
        let next = T::COLUMNS.get(place.map_or(0, |place| place + 1));
        self.sort = next.map(|column| Sort {
            column,
            is_falling: false,
        });
        self.resort();
        self.sort
    }

    /// Turns the order around; returns what it is sorted by, if it is.
    pub fn turn_around(&mut self) -> Option<Sort> {
        if let Some(sort) = &mut self.sort {
            sort.is_falling = !sort.is_falling;
        }
        self.resort();
        self.sort
    }

    fn resort(&mut self) {
        let selected = self.current().map(Item::id);
        self.refilter();
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

    /// Forgets everything but the filter and the order.
    pub fn reset(&mut self) {
        let filter = std::mem::take(&mut self.filter);
        let sort = self.sort;
        *self = Self {
            filter,
            sort,
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
        if let Some(sort) = self.sort {
            let mut keyed: Vec<(Key, usize)> = self
                .shown
                .iter()
                .map(|place| (self.items[*place].key(sort.column), *place))
                .collect();
            keyed.sort_by(|(a, at), (b, bt)| {
                let order = a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
                let order = if sort.is_falling {
                    order.reverse()
                } else {
                    order
                };
                order.then(at.cmp(bt))
            });
            self.shown = keyed.into_iter().map(|(_, place)| place).collect();
        }
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
mod tests;

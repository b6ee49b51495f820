//! Examining a log against every checkpoint that is known of it, wherever it was kept.
//!
//! [`super::verify`] recomputes the log; this compares it on the way with each older head that was
//! signed: those in the store, those in a file that the daemon does not own, those a client kept.

use super::checkpoint::{Checkpoint, NOTE_BYTES_MAX};
use super::handover::Keys;
use super::verify::{Broken, Summary, Verifier, What};
use manushya_protocol::unit::AuditSeq;

/// The longest file of checkpoints that is read, in bytes: more than a year of one every minute.
pub const NOTES_BYTES_MAX: usize = 256 << 20;

/// The checkpoints of a file, and what in it is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Those that a key of the log has signed, in the order of the file.
    pub good: Vec<Checkpoint>,
    /// The lines at which something starts that is no checkpoint by such a key, from 1.
    pub bad: Vec<usize>,
}

/// Reads a file of checkpoints: each followed by an empty line. What is no checkpoint that one of
/// the keys has signed is passed over and told. One is read at a time, and each is bounded.
pub fn read_notes(text: &str, keys: &Keys) -> Notes {
    let mut notes = Notes::default();
    let mut note = String::new();
    let (mut start, mut blanks) = (1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if note.is_empty() {
            if line == "\n" {
                continue;
            }
            (start, blanks) = (number + 1, 0);
        }
        // The first empty line parts text and signatures, the second ends the note.
        if line == "\n" {
            blanks += 1;
        }
        if blanks == 2 {
            take_note(&mut notes, &note, start, keys);
            note.clear();
        } else if note.len() <= NOTE_BYTES_MAX {
            note.push_str(line);
        }
    }
    if !note.is_empty() {
        take_note(&mut notes, &note, start, keys);
    }
    notes
}

fn take_note(notes: &mut Notes, note: &str, start: usize, keys: &Keys) {
    match keys.verify(note) {
        Ok(checkpoint) => notes.good.push(checkpoint),
        Err(_) => notes.bad.push(start),
    }
}

/// Verifies a log entry by entry against all its checkpoints.
#[derive(Clone, Debug)]
pub struct Examiner {
    verifier: Verifier,
    /// By size, the largest first.
    marks: Vec<Checkpoint>,
}

impl Examiner {
    /// Starts before the first entry, with checkpoints whose signatures were verified.
    pub fn new(mut marks: Vec<Checkpoint>) -> Self {
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.size));
        Self {
            verifier: Verifier::new(),
            marks,
        }
    }

    /// Verifies the canonical bytes of the next entry, and the log so far against every checkpoint of
    /// that size.
    ///
    /// # Errors
    ///
    /// [`Broken`] at the first place that is not as it was signed. A broken log stays broken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.compare()?;
        self.verifier.push(bytes)?;
        self.compare()
    }

    fn compare(&mut self) -> Result<(), Broken> {
        let size = self.verifier.size();
        while self.marks.last().is_some_and(|mark| mark.size == size) {
            if let Some(mark) = self.marks.last() {
                self.verifier.check_against(mark)?;
            }
            self.marks.pop();
        }
        Ok(())
    }

    /// Checks that the log so far has the hand-overs that were told of it, from a trusted key on.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it has others.
    pub fn check_keys(&self, told: &Keys) -> Result<(), Broken> {
        self.verifier.check_keys(told)
    }

    /// Compares the whole log with its head.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the head states another log, or if a checkpoint was signed of a longer one: then
    /// the log was rolled back or cut.
    pub fn finish(mut self, head: &Checkpoint) -> Result<Summary, Broken> {
        self.compare()?;
        let actual = self.verifier.size();
        if let Some(longest) = self.marks.first() {
            self.verifier.check_against(longest)?;
            let what = What::Size {
                expected: longest.size,
                actual,
            };
            let seq = AuditSeq(actual.saturating_add(1));
            return Err(Broken { seq, what });
        }
        self.verifier.finish(head)
    }
}

#[cfg(test)]
mod tests;

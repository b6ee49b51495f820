//! Reads lines into batches, on a thread of its own, never holding more than a few of them.

use std::io::{self, BufRead};

use manushya_protocol::limits;
use manushya_protocol::v1::memory::MemoryAdd;
use tokio::sync::mpsc::Sender;

use super::line::{self, Defaults};

/// The longest line that is held. What is longer cannot be a memory.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// How many bytes of memories one batch has at the most, so that it fits a frame.
const BATCH_BYTES_MAX: usize = 600 << 10;
/// How much of a line that was too long is kept to tell which it was.
const CLIPPED_BYTES: usize = 200;

/// A line that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Reject {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
    /// The line itself, as far as it was held.
    pub input: Vec<u8>,
}

/// Lines that go to the daemon together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The memories, each with the number and the bytes of its line.
    pub items: Vec<(u64, Vec<u8>, MemoryAdd)>,
    /// Lines that are no memories.
    pub rejects: Vec<Reject>,
    /// The number of its last line.
    pub last_line: u64,
    /// How many bytes were read up to its end.
    pub position: u64,
    /// How many lines it has, blank ones not counted.
    pub lines: u64,
    bytes: usize,
}

/// One line, or what is known of one that was too long.
enum Line {
    Whole(Vec<u8>),
    TooLong(Vec<u8>, u64),
}

/// Reads the next line, without its end. Of a line above [`LINE_BYTES_MAX`] only the start is
/// kept, and the rest is read past.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<(Line, u64)>> {
    let (mut held, mut read, mut ended) = (Vec::new(), 0u64, false);
    while !ended {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let (part, used) = match end {
            Some(place) => (&chunk[..place], place + 1),
            None => (chunk, chunk.len()),
        };
        let room = (LINE_BYTES_MAX + 1).saturating_sub(held.len());
        held.extend_from_slice(&part[..part.len().min(room)]);
        ended = end.is_some();
        input.consume(used);
        read += used as u64;
    }
    if read == 0 {
        return Ok(None);
    }
    if held.len() > LINE_BYTES_MAX {
        held.truncate(CLIPPED_BYTES);
        return Ok(Some((Line::TooLong(held, read), read)));
    }
    if held.last() == Some(&b'\r') {
        held.pop();
    }
    Ok(Some((Line::Whole(held), read)))
}

/// Reads everything and sends it batch by batch; what reading fails with comes last. Stops when
/// nobody takes them.
pub fn read(
    mut input: impl BufRead,
    skip_lines: u64,
    batch_items: usize,
    defaults: &Defaults,
    keep_input: bool,
    to: &Sender<io::Result<Batch>>,
) {
    let mut batch = Batch::default();
    let (mut number, mut position) = (0u64, 0u64);
    loop {
        let (line, read) = match next_line(&mut input) {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(error) => {
                // What was read before the fault is not lost.
                let _ = to.blocking_send(Ok(std::mem::take(&mut batch)));
                let _ = to.blocking_send(Err(error));
                return;
            }
        };
        number += 1;
        position += read;
        if number <= skip_lines {
            continue;
        }
        let item = classify(line, number, defaults);
        let bytes = item
            .as_ref()
            .map_or(0, |item| item.as_ref().map_or(0, |(_, _, add)| size(add)));
        let full = batch.items.len() + batch.rejects.len() >= batch_items
            || batch.bytes + bytes > BATCH_BYTES_MAX;
        if full && to.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
            return;
        }
        batch.last_line = number;
        batch.position = position;
        let Some(item) = item else { continue };
        batch.lines += 1;
        batch.bytes += bytes;
        match item {
            Ok((line, input, add)) => {
                let input = if keep_input { input } else { Vec::new() };
                batch.items.push((line, input, add));
            }
            Err(reject) => batch.rejects.push(reject),
        }
    }
    let _ = to.blocking_send(Ok(batch));
}

type Classified = Option<Result<(u64, Vec<u8>, MemoryAdd), Reject>>;

/// What a line is; nothing if it is blank.
fn classify(line: Line, number: u64, defaults: &Defaults) -> Classified {
    match line {
        Line::Whole(bytes) if bytes.trim_ascii().is_empty() => None,
        Line::Whole(bytes) => {
            // Some editors begin a file with a byte order mark.
            let text = match number {
                1 => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes),
                _ => &bytes,
            };
            Some(match line::parse(text, defaults) {
                Ok(add) => Ok((number, bytes, add)),
                Err(reason) => Err(Reject {
                    line: number,
                    reason,
                    input: bytes,
                }),
            })
        }
        Line::TooLong(input, read) => {
            let reason = format!("the line has {read} bytes; the limit is {LINE_BYTES_MAX}");
            Some(Err(Reject {
                line: number,
                reason,
                input,
            }))
        }
    }
}

/// How many bytes a memory takes in a frame, at the most.
fn size(add: &MemoryAdd) -> usize {
    serde_json::to_vec(add).map_or(limits::FRAME_BYTES_MAX, |json| json.len() + 1)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read_all(input: impl Read, skip: u64, items: usize) -> Vec<Batch> {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(10_000);
        let input = BufReader::with_capacity(64 << 10, input);
        read(input, skip, items, &Defaults::default(), true, &sender);
        drop(sender);
        let mut batches = Vec::new();
        while let Some(batch) = receiver.blocking_recv() {
            batches.push(batch.unwrap());
        }
        batches
    }

    #[test]
    fn giant_line_is_refused_and_the_next_is_read() {
        let giant = io::repeat(b'x').take(50 << 20);
        let input = giant.chain(&b"\n{\"text\":\"after\"}\n"[..]);
        let batches = read_all(input, 0, 256);
        let rejects: Vec<_> = batches.iter().flat_map(|b| &b.rejects).collect();
        assert_eq!(rejects.len(), 1);
        assert_eq!(
            (rejects[0].line, rejects[0].input.len()),
            (1, CLIPPED_BYTES)
        );
        assert!(
            rejects[0].reason.contains("52428801 bytes"),
            "{}",
            rejects[0].reason
        );
        let items: Vec<_> = batches.iter().flat_map(|b| &b.items).collect();
        assert_eq!((items.len(), items[0].0), (1, 2));
    }

    #[test]
    fn batches_keep_to_their_bytes() {
        let line = format!("{{\"text\":\"{}\"}}\n", "y".repeat(60_000));
        let batches = read_all(line.repeat(40).as_bytes(), 0, 256);
        assert!(batches.len() >= 4);
        for batch in &batches {
            let adds: Vec<_> = batch.items.iter().map(|(_, _, add)| add).collect();
            assert!(serde_json::to_vec(&adds).unwrap().len() < limits::FRAME_BYTES_MAX);
        }
        assert_eq!(batches.iter().map(|b| b.items.len()).sum::<usize>(), 40);
    }

    #[test]
    fn marks_line_ends_and_blanks_are_no_trouble() {
        let input = b"\xef\xbb\xbf{\"text\":\"a\"}\r\n\r\n  \n{\"text\":\"b\"}";
        let batches = read_all(&input[..], 0, 10);
        let texts: Vec<_> = batches
            .iter()
            .flat_map(|b| &b.items)
            .map(|i| &i.2.text)
            .collect();
        assert_eq!(texts, ["a", "b"]);
        assert!(batches.iter().all(|batch| batch.rejects.is_empty()));
    }

    proptest! {
        #[test]
        fn every_line_is_taken_or_refused_once(
            lines in vec("(\\{\"text\":\"[a-z]{1,5}\"\\})|([a-z]{0,4})", 0..40),
            items in 1usize..9,
            skip in 0u64..9,
        ) {
            let batches = read_all(lines.join("\n").as_bytes(), skip, items);
            let mut seen: Vec<u64> = Vec::new();
            for batch in &batches {
                prop_assert!(batch.items.len() + batch.rejects.len() <= items);
                seen.extend(batch.items.iter().map(|item| item.0));
                seen.extend(batch.rejects.iter().map(|reject| reject.line));
            }
            seen.sort_unstable();
            let wanted: Vec<u64> = (1..).zip(&lines)
                .filter(|(number, line)| *number > skip && !line.is_empty())
                .map(|(number, _)| number)
                .collect();
            prop_assert_eq!(seen, wanted);
        }

        #[test]
        fn arbitrary_bytes_never_panic(input in vec(any::<u8>(), 0..400)) {
            read_all(&input[..], 0, 3);
        }
    }
}

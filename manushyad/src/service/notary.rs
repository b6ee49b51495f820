//! Signs the head of the log from time to time and sends it where this daemon's user cannot quietly
//! take it back.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use ed25519_dalek::SigningKey;
use manushya_core::audit::{Head, Keys};
use manushya_core::directory::Directory;

use super::audit;
use crate::config::Anchor;

/// After how many entries a head is signed.
const ENTRIES: u64 = 1000;
/// After how long a head with new entries is signed.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// How long the command that takes a checkpoint may run.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the end of the daemon waits for the anchors.
const LAST_TIME_MAX: Duration = Duration::from_secs(3);
/// How many checkpoints may wait for the anchors.
const WAITING_MAX: usize = 64;
/// Where the journal of systemd listens.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// What is known of the signing and anchoring, for whoever looks.
#[derive(Debug, Default)]
pub struct Witnessed {
    signed: AtomicU64,
    anchored: AtomicU64,
    fault: ArcSwapOption<String>,
}

impl Witnessed {
    /// Up to which entry the log is signed.
    pub fn signed(&self) -> u64 {
        self.signed.load(Ordering::Relaxed)
    }

    /// Up to which entry the log is anchored.
    pub fn anchored(&self) -> u64 {
        self.anchored.load(Ordering::Relaxed)
    }

    /// Why the last checkpoint is not in every anchor.
    pub fn fault(&self) -> Option<Arc<String>> {
        self.fault.load_full()
    }
}

/// Gives the key that signs a log that was left with this directory, if it is here.
pub type Signer = Box<dyn Fn(&Directory) -> Option<SigningKey> + Send>;

/// The writer's means to sign heads. It lives in the writer's thread.
pub struct Notary {
    signer: Signer,
    last: Instant,
    witnessed: Arc<Witnessed>,
    anchors: Option<SyncSender<(u64, String)>>,
    thread: Option<JoinHandle<()>>,
}

impl Notary {
    /// Starts the thread that anchors. `signed` is the size of the last checkpoint that was stored.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(signer: Signer, anchor: Anchor, signed: u64) -> io::Result<Self> {
        let witnessed = Arc::new(Witnessed::default());
        witnessed.signed.store(signed, Ordering::Relaxed);
        let (anchors, notes) = sync_channel(WAITING_MAX);
        let seen = witnessed.clone();
        let thread = std::thread::Builder::new()
            .name("anchors".to_owned())
            .spawn(move || anchor_all(&anchor, &notes, &seen))?;
        Ok(Self {
            signer,
            last: Instant::now(),
            witnessed,
            anchors: Some(anchors),
            thread: Some(thread),
        })
    }

    /// What is known of its work.
    pub fn witnessed(&self) -> Arc<Witnessed> {
        self.witnessed.clone()
    }

    /// The signed head, if it is time for one.
    pub fn due(&self, head: &Head, directory: &Directory) -> Option<String> {
        let new = head.size().saturating_sub(self.witnessed.signed());
        let due = new >= ENTRIES || (new > 0 && self.last.elapsed() >= INTERVAL);
        due.then(|| self.sign(head, directory)).flatten()
    }

    /// The signed head, if it has entries that are not signed.
    pub fn last(&self, head: &Head, directory: &Directory) -> Option<String> {
        let new = head.size() > self.witnessed.signed();
        new.then(|| self.sign(head, directory)).flatten()
    }

    fn sign(&self, head: &Head, directory: &Directory) -> Option<String> {
        let checkpoint = audit::checkpoint(head).ok()?;
        Some(checkpoint.sign(&(self.signer)(directory)?))
    }

    /// Takes note of a checkpoint that is on disk, and sends it to the anchors.
    pub fn stored(&mut self, size: u64, note: String) {
        self.last = Instant::now();
        self.witnessed.signed.store(size, Ordering::Relaxed);
        let sent = self
            .anchors
            .as_ref()
            .map(|anchors| anchors.try_send((size, note)));
        if !matches!(sent, Some(Ok(()))) {
            let fault = "the anchors do not keep up; a checkpoint was left out";
            tracing::error!("{fault}");
            self.witnessed.fault.store(Some(Arc::new(fault.to_owned())));
        }
    }
}

impl Drop for Notary {
    /// Waits until what was signed is anchored, but not for an anchor that hangs: nothing of the daemon
    /// is in its thread, and `doctor` tells what is missing.
    fn drop(&mut self) {
        self.anchors = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let until = Instant::now() + LAST_TIME_MAX;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        } else {
            tracing::error!("An anchor hangs; the last checkpoint may not have reached it.");
        }
    }
}

fn anchor_all(anchor: &Anchor, notes: &Receiver<(u64, String)>, seen: &Witnessed) {
    while let Ok(note) = notes.recv() {
        // The newest speaks for all before it; those that a slow anchor kept waiting are left out.
        let (size, note) = notes.try_iter().last().unwrap_or(note);
        let mut faults = Vec::new();
        let mut put = |what: String, done: io::Result<()>| {
            if let Err(error) = done {
                tracing::error!(%error, anchor = %what, "A checkpoint could not be anchored.");
                faults.push(format!("{what}: {error}"));
            }
        };
        if let Some(path) = &anchor.file {
            put(path.display().to_string(), append(path, &note));
        }
        if anchor.journald {
            put("journald".to_owned(), journal(size, &note));
        }
        if let Some((program, arguments)) = anchor.command.split_first() {
            put(program.clone(), run(program, arguments, &note));
        }
        if faults.is_empty() {
            seen.anchored.store(size, Ordering::Relaxed);
            seen.fault.store(None);
        } else {
            seen.fault.store(Some(Arc::new(faults.join("; "))));
        }
    }
}

/// Appends a checkpoint and the empty line that ends it, in one write, and waits until it is on disk.
fn append(path: &Path, note: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    // Should the last one have been cut by a crash, the empty lines end it.
    let torn = std::fs::metadata(path)?.len() > 0 && !ends_whole(path)?;
    let start = if torn { "\n\n" } else { "" };
    file.write_all(format!("{start}{note}\n").as_bytes())?;
    file.sync_all()
}

fn ends_whole(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let mut end = [0; 2];
    if file.seek(SeekFrom::End(-2)).is_err() {
        return Ok(false);
    }
    file.read_exact(&mut end)?;
    Ok(end == *b"\n\n")
}

/// Tells the journal, in its native protocol: a field with line feeds has its length before it.
fn journal(size: u64, note: &str) -> io::Result<()> {
    let mut message = format!(
        "MESSAGE=The audit log has {size} entries; their checkpoint is signed.\nPRIORITY=5\n\
         SYSLOG_IDENTIFIER=manushyad\nMANUSHYA_AUDIT_SIZE={size}\nMANUSHYA_AUDIT_CHECKPOINT\n"
    )
    .into_bytes();
    message.extend_from_slice(&(note.len() as u64).to_le_bytes());
    message.extend_from_slice(note.as_bytes());
    message.push(b'\n');
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(&message, JOURNAL).map(drop)
}

/// Gives a checkpoint to a command on its standard input.
fn run(program: &str, arguments: &[String], note: &str) -> io::Result<()> {
    let mut child = Command::new(PathBuf::from(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let started = Instant::now();
    // A checkpoint is far shorter than a pipe holds, so that this does not wait for the reader.
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(note.as_bytes());
    }
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.success() {
                true => Ok(()),
                false => Err(io::Error::other(format!("it ended with {status}"))),
            };
        }
        if started.elapsed() > COMMAND_TIME_MAX {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The end of an anchor file that is looked at when the daemon starts, in bytes.
const TAIL_BYTES: u64 = 64 << 10;

/// How many entries the newest checkpoints of an anchor file say the log has, if any is signed.
pub fn newest_anchored(path: &Path, keys: &Keys) -> Option<u64> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let start = SeekFrom::Start(length.saturating_sub(TAIL_BYTES));
    file.seek(start).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    let notes = manushya_core::audit::read_notes(&text, keys);
    notes.good.iter().map(|note| note.size).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_appended_whole_after_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/anchor");
        append(&path, "one\n\nsigned\n").unwrap();
        append(&path, "two\n\nsigned\n").unwrap();
        let whole = "one\n\nsigned\n\ntwo\n\nsigned\n\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        std::fs::write(&path, "one\n\nsig").unwrap();
        append(&path, "two\n\nsigned\n").unwrap();
        let mended = "one\n\nsig\n\ntwo\n\nsigned\n\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), mended);
    }

    #[test]
    fn command_reads_the_checkpoint_and_its_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        let script = format!("cat > {}", path.display());
        run("/bin/sh", &["-c".to_owned(), script], "a note\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a note\n");
        assert!(
            run(
                "/bin/sh",
                &["-c".to_owned(), "exit 3".to_owned()],
                "a note\n"
            )
            .is_err()
        );
        assert!(run("/no/such/program", &[], "a note\n").is_err());
    }
}

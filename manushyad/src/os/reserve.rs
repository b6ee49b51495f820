//! Room that is kept for when the disk is full: a file of zeros that goes when something that has to be
//! written finds no room, so that the last entries and a clean stop do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

/// How the room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// None is kept.
    Off,
    /// It is kept.
    Held,
    /// The disk was full, and it was given: nothing that adds to the store is taken.
    Given,
    /// It is not there, and the disk was not found full since.
    Missing,
}

impl Room {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Held => "held",
            Self::Given => "given",
            Self::Missing => "missing",
        }
    }
}

/// The room that is kept. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reserve(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    /// Whoever changes the file.
    alone: Mutex<()>,
    room: AtomicU8,
}

/// Whether an error says that there is no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl Reserve {
    /// Keeps `bytes` in a file at `path`; none if that is zero. Without room for it the daemon starts
    /// all the same.
    pub fn keep(path: &Path, bytes: u64) -> Self {
        if bytes == 0 {
            // One that was kept before is of no use now.
            let _ = std::fs::remove_file(path);
            return Self::default();
        }
        let kept = Kept {
            path: path.to_owned(),
            bytes,
            alone: Mutex::new(()),
            room: AtomicU8::new(Room::Missing as u8),
        };
        match kept.take() {
            Ok(()) => kept.set(Room::Held),
            Err(error) => tracing::warn!(%error, "No room can be kept for a full disk."),
        }
        Self(Some(Arc::new(kept)))
    }

    /// How the room stands.
    pub fn room(&self) -> Room {
        self.0.as_ref().map_or(Room::Off, |kept| kept.room())
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.bytes)
    }

    /// Gives the room to who found none. Returns whether there is more room now.
    pub fn give(&self) -> bool {
        let Some(kept) = &self.0 else { return false };
        let _alone = kept.alone.lock();
        if kept.room() != Room::Held || kept.remove().is_err() {
            return false;
        }
        kept.set(Room::Given);
        tracing::error!("The disk is full. Nothing is added until there is room again.");
        true
    }

    /// Notes that room was made in the store itself: what is added next may fit.
    pub fn ease(&self) {
        if let Some(kept) = &self.0 {
            let (given, missing) = (Room::Given as u8, Room::Missing as u8);
            let order = Ordering::AcqRel;
            let _ = kept
                .room
                .compare_exchange(given, missing, order, Ordering::Relaxed);
        }
    }

    /// Takes the room again, if there is twice as much. Returns whether it did.
    pub fn retake(&self) -> bool {
        let Some(kept) = &self.0 else { return false };
        if kept.room() == Room::Held {
            return false;
        }
        let folder = kept.path.parent().unwrap_or(Path::new("."));
        let free = fs4::available_space(folder).unwrap_or(0);
        if free < kept.bytes.saturating_mul(2) {
            return false;
        }
        let _alone = kept.alone.lock();
        let taken = kept.take().is_ok();
        if taken {
            kept.set(Room::Held);
            tracing::info!("There is room on the disk again.");
        }
        taken
    }
}

impl Kept {
    fn room(&self) -> Room {
        match self.room.load(Ordering::Acquire) {
            1 => Room::Held,
            2 => Room::Given,
            _ => Room::Missing,
        }
    }

    fn set(&self, room: Room) {
        self.room.store(room as u8, Ordering::Release);
    }

    /// Has the blocks of the file given to it.
    fn take(&self) -> io::Result<()> {
        let taken = self.fill();
        if taken.is_err() {
            let _ = std::fs::remove_file(&self.path);
        }
        taken
    }

    fn fill(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.len() == self.bytes && metadata.blocks() * 512 >= self.bytes {
            return Ok(());
        }
        file.set_len(0)?;
        if !allocate(&file, self.bytes)? {
            let zeros = [0_u8; 64 << 10];
            let mut left = self.bytes;
            while left > 0 {
                let step = left.min(zeros.len() as u64);
                file.write_all(&zeros[..usize::try_from(step).unwrap_or(zeros.len())])?;
                left -= step;
            }
        }
        file.sync_all()
    }

    fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)?;
        // A file system with a journal has the blocks back once that says so.
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// Asks the file system for blocks; says whether it knows how.
#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 256 << 10;

    #[test]
    fn room_is_real_given_once_and_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let reserve = Reserve::keep(&path, BYTES);
        assert_eq!(reserve.room(), Room::Held);
        let metadata = path.metadata().unwrap();
        // Blocks, not only a length.
        assert_eq!(metadata.len(), BYTES);
        assert!(metadata.blocks() * 512 >= BYTES);
        assert!(!reserve.retake());
        assert!(reserve.give() && !path.exists());
        assert!(!reserve.give(), "it was given already");
        assert_eq!(reserve.room(), Room::Given);
        assert!(reserve.retake() && path.exists());
        assert!(reserve.give());
        reserve.ease();
        assert_eq!(reserve.room(), Room::Missing);
        assert!(!reserve.give());
        assert!(reserve.retake());
        reserve.ease();
        assert_eq!(reserve.room(), Room::Held);
        // Another run finds it, of whatever length.
        let longer = Reserve::keep(&path, 2 * BYTES);
        assert_eq!(
            (longer.room(), path.metadata().unwrap().len()),
            (Room::Held, 2 * BYTES)
        );
        assert_eq!(Reserve::keep(&path, 0).room(), Room::Off);
        assert!(!path.exists());
    }

    #[test]
    fn without_room_there_is_none_and_nothing_fails() {
        let reserve = Reserve::keep(Path::new("/nonexistent/reserve"), BYTES);
        assert_eq!(reserve.room(), Room::Missing);
        assert!(!reserve.give() && !reserve.retake());
        assert_eq!(Reserve::default().room(), Room::Off);
    }
}

//! The checks that need no daemon: folders, permissions, clock, disk.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use manushya_protocol::v1::system::{Check, Verdict};

use crate::context::Context;
use crate::ui::time;
use manushya_protocol::home::SOCKET_PATH_BYTES_MAX;

/// Below this much free space the disk is nearly full, in bytes.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// Below this much the daemon may fail at any moment.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// How many files are looked at in one folder.
const FILES_MAX: usize = 10_000;
/// How deep folders are looked into.
const DEPTH_MAX: usize = 4;
/// 2026-01-01T00:00:00Z: a clock before this is wrong.
const CLOCK_MIN_MS: i64 = 1_767_225_600_000;

/// One check.
pub fn check(id: &str, verdict: Verdict, evidence: String, fix: Option<String>) -> Check {
    Check {
        id: id.to_owned(),
        verdict,
        evidence,
        fix,
    }
}

/// Every check that needs no daemon.
pub fn checks(context: &Context) -> Vec<Check> {
    let paths = &context.settings.paths;
    let config = match &context.settings.file {
        Some(path) => format!("{} is sound", path.display()),
        None => "there is no file; defaults are used".to_owned(),
    };
    let mut checks = vec![check("config", Verdict::Ok, config, None)];
    // The folder they are in may be open: it shows names that everyone knows.
    let folders: [(&str, &Path, u32); 3] = [
        ("files.data", &paths.data, OTHERS),
        ("files.state", &paths.state, OTHERS),
        // A group may be let in, by the setting daemon.socket_gid.
        ("files.run", &paths.run, OTHERS & 0o007),
    ];
    checks.extend(
        folders
            .into_iter()
            .map(|(id, folder, forbidden)| permissions(id, folder, forbidden)),
    );
    checks.push(socket_path(&context.settings.socket.value));
    checks.push(clock(time::now().0));
    checks.push(disk(&paths.data));
    if let Some(path) = &context.settings.token_file.value {
        checks.push(permissions("files.token", path, OTHERS));
    }
    checks
}

/// The permission bits of everyone but the owner.
const OTHERS: u32 = 0o077;

/// Whether nobody who is forbidden to can reach what is in a folder.
fn permissions(id: &str, folder: &Path, forbidden: u32) -> Check {
    let Ok(metadata) = std::fs::metadata(folder) else {
        let evidence = format!("{} is not there yet", folder.display());
        return check(id, Verdict::Ok, evidence, None);
    };
    let mut found = Found {
        forbidden,
        open: Vec::new(),
        looked: 0,
    };
    // Keys are to be closed by themselves too, in case their folder is opened one day.
    found.walk(folder, &metadata, 0);
    let open = found.open;
    match open.first() {
        None => check(
            id,
            Verdict::Ok,
            format!("{} is private", folder.display()),
            None,
        ),
        Some((path, mode)) => {
            let more = match open.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let evidence = format!("{} has mode {mode:04o}{more}", path.display());
            let fix = format!("chmod -R go-rwx {}", folder.display());
            check(id, Verdict::Failure, evidence, Some(fix))
        }
    }
}

/// Files and folders that others can reach into.
struct Found {
    forbidden: u32,
    open: Vec<(PathBuf, u32)>,
    looked: usize,
}

impl Found {
    fn walk(&mut self, path: &Path, metadata: &std::fs::Metadata, depth: usize) {
        self.looked += 1;
        if metadata.is_symlink() || self.looked > FILES_MAX {
            return;
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & self.forbidden != 0 {
            self.open.push((path.to_path_buf(), mode));
        }
        if !metadata.is_dir() || depth >= DEPTH_MAX {
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            if let Ok(metadata) = entry.metadata() {
                self.walk(&entry.path(), &metadata, depth + 1);
            }
        }
    }
}

fn socket_path(socket: &Path) -> Check {
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        let evidence = format!(
            "{} has {length} bytes; the system takes {SOCKET_PATH_BYTES_MAX}",
            socket.display()
        );
        let fix = Some("name a shorter one with --socket or MANUSHYA_SOCKET".to_owned());
        return check("socket", Verdict::Failure, evidence, fix);
    }
    if socket.exists() && !super::somebody_listens(socket) {
        let evidence = format!("{} was left behind; nobody listens", socket.display());
        return check(
            "socket",
            Verdict::Warning,
            evidence,
            Some("manushyactl up".to_owned()),
        );
    }
    check("socket", Verdict::Ok, socket.display().to_string(), None)
}

fn clock(now_ms: i64) -> Check {
    let evidence = manushya_protocol::unit::UnixMillis(now_ms).to_string();
    match now_ms >= CLOCK_MIN_MS {
        true => check("clock", Verdict::Ok, evidence, None),
        false => {
            let fix = Some("set the clock: tokens and retention go by it".to_owned());
            check("clock", Verdict::Failure, evidence, fix)
        }
    }
}

fn disk(data: &Path) -> Check {
    let existing = data.ancestors().find(|path| path.exists()).unwrap_or(data);
    match fs4::available_space(existing) {
        Ok(free) => disk_of(free, existing),
        Err(error) => {
            let evidence = format!("{}: {error}", existing.display());
            check("disk", Verdict::Warning, evidence, None)
        }
    }
}

fn disk_of(free: u64, folder: &Path) -> Check {
    let evidence = format!("{} free at {}", time::bytes(free), folder.display());
    let fix = "make room: nothing is written without its audit entry".to_owned();
    match free {
        0..FREE_BYTES_MIN => check("disk", Verdict::Failure, evidence, Some(fix)),
        FREE_BYTES_MIN..FREE_BYTES_LOW => check("disk", Verdict::Warning, evidence, Some(fix)),
        _ => check("disk", Verdict::Ok, evidence, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_found_and_closed_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), private).unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, b"x").unwrap();
        let set = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o600);
        assert_eq!(permissions("x", folder.path(), OTHERS).verdict, Verdict::Ok);
        set(0o644);
        let found = permissions("x", folder.path(), OTHERS);
        assert_eq!(found.verdict, Verdict::Failure);
        assert!(
            found.evidence.contains("0644") && found.fix.is_some(),
            "{found:?}"
        );
    }

    #[test]
    fn clock_and_disk_have_their_bounds() {
        assert_eq!(clock(0).verdict, Verdict::Failure);
        assert_eq!(clock(CLOCK_MIN_MS).verdict, Verdict::Ok);
        assert_eq!(disk_of(1, Path::new("/")).verdict, Verdict::Failure);
        assert_eq!(
            disk_of(FREE_BYTES_MIN, Path::new("/")).verdict,
            Verdict::Warning
        );
        assert_eq!(disk_of(FREE_BYTES_LOW, Path::new("/")).verdict, Verdict::Ok);
    }
}

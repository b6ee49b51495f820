//! Saved graphs: sealed, put in place in one step, and opened again at the start.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use manushya_core::model::EmbedderTag;
use manushya_protocol::id::TenantId;

use crate::index::TenantIndex;
use crate::vault::{Vault, replace_file};

/// How large a saved graph may be, in bytes, before it is not read.
const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// Where the graph of a tenant is saved.
pub(super) fn path(data: &Path, tenant: TenantId) -> PathBuf {
    data.join("index").join(format!("{tenant}.graph"))
}

/// Takes a saved graph into `index`; answers how many vectors it serves, `None` if there is none.
///
/// # Errors
///
/// Why it is not used.
pub(super) fn load(
    path: &Path,
    vault: &Vault,
    index: &TenantIndex,
    tag: EmbedderTag,
) -> Result<Option<u64>, String> {
    let sealed = match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > SNAPSHOT_BYTES_MAX => {
            return Err("it is larger than any graph".to_owned());
        }
        Ok(_) => std::fs::read(path).map_err(|error| error.to_string())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let bytes = vault
        .open_file(&sealed)
        .map_err(|error| error.to_string())?;
    // What is sealed starts with the tag of the embedder whose vectors the graph has.
    let graph = bytes
        .strip_prefix(&tag.0.to_be_bytes())
        .ok_or("its vectors are of another embedder")?;
    index
        .load_graph(graph)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Saves one graph: a temporary file, synced, put in place in one step. If something was erased
/// meanwhile, the bytes may hold it and are thrown away.
pub(super) fn save(
    path: &Path,
    vault: &Vault,
    index: &TenantIndex,
    tag: EmbedderTag,
) -> io::Result<u64> {
    let snapshot = index.graph_snapshot().map_err(io::Error::other)?;
    let Some(snapshot) = snapshot else {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(0),
        };
    };
    let mut bytes = snapshot.bytes;
    bytes.splice(0..0, tag.0.to_be_bytes());
    let sealed = vault.seal_file(&bytes).map_err(io::Error::other)?;
    write_atomically(path, &sealed)?;
    if index.erasures() != snapshot.erasures {
        std::fs::remove_file(path)?;
        return Ok(0);
    }
    Ok(sealed.len() as u64)
}

fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Err(io::Error::other("a snapshot has no folder"));
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    replace_file(folder, name, bytes).map_err(io::Error::other)
}

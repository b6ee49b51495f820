//! The index of every tenant: built at the start, changed after each commit, tended beside.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use manushya_core::directory::Directory;
use manushya_core::model::{EmbedderTag, Memory};
use manushya_core::plan::Write;
use manushya_protocol::id::{MemoryId, TenantId};
use manushya_protocol::v1::system::IndexStatus;
use parking_lot::{Mutex, RwLock};

use crate::config::Config;
use crate::index::{IndexOptions, Prepared, TenantIndex};
use crate::port::Embedder;
use crate::store::{Store, StoreError};
use crate::vault::{Vault, replace_file};

/// How many vectors one round of tending adds to a graph.
const TEND_VECTORS: usize = 2048;
/// How large a saved graph may be, in bytes, before it is not read.
const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// The index of every tenant. One tenant's memories are never in another's index.
pub struct Indexes {
    embedder: Arc<dyn Embedder>,
    tag: EmbedderTag,
    options: IndexOptions,
    tenants: RwLock<HashMap<TenantId, Arc<TenantIndex>>>,
    /// What was last saved of each tenant: the graph's size and the erasures by then.
    saved: Mutex<HashMap<TenantId, (u64, u64)>>,
}

impl Indexes {
    /// No index yet. All vectors in them will be of `embedder`.
    pub fn new(config: &Config, embedder: Arc<dyn Embedder>) -> Self {
        let options = IndexOptions {
            graph_threshold: config.graph_threshold as u64,
            ..IndexOptions::default()
        };
        Self {
            tag: EmbedderTag::of(embedder.name()),
            embedder,
            options,
            tenants: RwLock::default(),
            saved: Mutex::default(),
        }
    }

    /// The index of a tenant, empty if it has no memories.
    pub fn of(&self, tenant: TenantId) -> Arc<TenantIndex> {
        if let Some(index) = self.tenants.read().get(&tenant) {
            return index.clone();
        }
        let mut tenants = self.tenants.write();
        let new = || Arc::new(TenantIndex::new(self.embedder.dims(), self.options));
        tenants.entry(tenant).or_insert_with(new).clone()
    }

    /// Builds the indexes from the store, on all cores, and takes in the saved graphs. A graph that
    /// does not open or does not fit is built anew beside the first searches.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn load(
        &self,
        store: &Store,
        directory: &Directory,
        vault: &Vault,
        data: &Path,
    ) -> Result<(), StoreError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        store
            .snapshot()?
            .for_each_memory(None, threads, |memory| self.take_in(&memory))?;
        for tenant in directory.tenants() {
            let path = snapshot_path(data, tenant.id);
            match load_graph(&path, vault, &self.of(tenant.id), self.tag) {
                Ok(Some(vectors)) => tracing::info!(vectors, "Loaded a saved graph."),
                Ok(None) => {}
                Err(reason) => {
                    tracing::warn!(reason, "A saved graph is not used; it is built anew.");
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        Ok(())
    }

    fn take_in(&self, memory: &Memory) {
        if memory.deleted_at.is_none()
            && let Some(prepared) = self.prepare(memory)
        {
            self.of(memory.tenant).upsert(&prepared);
        }
    }

    /// Makes `memory` ready. A vector of another embedder is never taken in: the text is embedded
    /// anew, for the index alone.
    fn prepare(&self, memory: &Memory) -> Option<Prepared> {
        let memory = if memory.embedder == self.tag {
            Cow::Borrowed(memory)
        } else {
            Cow::Owned(Memory {
                vector: self.embedder.embed(&memory.content.text),
                embedder: self.tag,
                ..memory.clone()
            })
        };
        match Prepared::from_memory(&memory, self.embedder.dims()) {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                // Vectors are checked before they are stored, so this is a fault of the store.
                tracing::error!(memory_id = %memory.id, %error, "A memory cannot be indexed.");
                None
            }
        }
    }

    /// Brings committed writes into the indexes, in their order.
    pub fn apply(&self, writes: &[Write]) {
        let mut forgotten: HashMap<TenantId, Vec<MemoryId>> = HashMap::new();
        for write in writes {
            match write {
                Write::PutMemory { memory, .. } => match self.prepare(memory) {
                    Some(prepared) => self.of(memory.tenant).upsert(&prepared),
                    None => {
                        self.of(memory.tenant).remove(memory.id);
                    }
                },
                Write::EraseMemory(tenant, id) => {
                    // Taken out at once, so that what a later write of this batch puts in stays.
                    self.of(*tenant).remove(*id);
                    forgotten.entry(*tenant).or_default().push(*id);
                }
                Write::EraseTenant(tenant) => {
                    self.tenants.write().remove(tenant);
                    self.saved.lock().remove(tenant);
                }
                _ => {}
            }
        }
        for (tenant, ids) in forgotten {
            self.of(tenant).forget(&ids);
        }
    }

    /// Takes what is erased out of the indexes, before its keys are destroyed.
    pub fn forget(&self, writes: &[Write]) {
        let erasing =
            |write: &&Write| matches!(write, Write::EraseMemory(..) | Write::EraseTenant(_));
        let erasures: Vec<Write> = writes.iter().filter(erasing).cloned().collect();
        self.apply(&erasures);
    }

    /// Tends every index; returns whether there is more to do.
    pub fn tend(&self) -> bool {
        let indexes: Vec<Arc<TenantIndex>> = self.tenants.read().values().cloned().collect();
        let mut more = false;
        for index in indexes {
            match index.maintain(TEND_VECTORS) {
                Ok(upkeep) => more |= upkeep.more,
                Err(error) => tracing::warn!(%error, "An index could not be tended."),
            }
        }
        more
    }

    /// Saves every graph that has changed, sealed; returns how many bytes were written.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, vault: &Vault, data: &Path) -> io::Result<u64> {
        let indexes: Vec<(TenantId, Arc<TenantIndex>)> = self
            .tenants
            .read()
            .iter()
            .map(|(id, index)| (*id, index.clone()))
            .collect();
        let mut bytes = 0;
        for (tenant, index) in indexes {
            let state = (index.status().graph, index.erasures());
            if self.saved.lock().get(&tenant) == Some(&state) {
                continue;
            }
            bytes += save_graph(&snapshot_path(data, tenant), vault, &index, self.tag)?;
            self.saved.lock().insert(tenant, state);
        }
        Ok(bytes)
    }

    /// The memories in a tenant's index with their versions.
    pub fn ids(&self, tenant: TenantId) -> Vec<(MemoryId, u32)> {
        self.of(tenant).ids()
    }

    /// The state of a tenant's index.
    pub fn status(&self, tenant: TenantId, name: &str) -> IndexStatus {
        let status = self.of(tenant).status();
        IndexStatus {
            tenant: name.to_owned(),
            memories: status.memories,
            terms: status.terms,
            graph: status.graph,
            tail: status.tail,
        }
    }
}

fn snapshot_path(data: &Path, tenant: TenantId) -> PathBuf {
    data.join("index").join(format!("{tenant}.graph"))
}

fn load_graph(
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
fn save_graph(
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

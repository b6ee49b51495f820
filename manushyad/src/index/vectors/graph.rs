//! The graph (HNSW, by usearch), the only file that names it.
//!
//! What usearch does not guard itself is guarded here: `reserve` and `load` exclude searches, no
//! more threads enter than it has room for, nothing that is not finite reaches it, no closure is
//! handed to it (a panic in one would abort), and bytes are checked as far as they can be before
//! they are loaded. That is not far: the caller authenticates them first.

use parking_lot::{Condvar, Mutex, RwLock};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::{NEAREST_MAX, Near, Unit, VectorError, VectorIndex};

/// How many threads may be inside at once; each has scratch memory of its own in there.
const THREADS_MAX: usize = 16;
/// Links of one vector.
const LINKS: usize = 16;
/// How many neighbours are looked at for each vector that is added, and for each search at least.
const LOOK_ADD: usize = 128;
const LOOK_SEARCH: usize = 64;

/// A graph of vectors by key. Any number may add and search side by side, and search and save.
pub struct Graph {
    index: Index,
    dims: usize,
    /// Held shared to search and to add, alone to make room.
    room: RwLock<()>,
    /// Held shared to add, alone by what adding must not run beside.
    adding: RwLock<()>,
    gate: Gate,
}

impl Graph {
    /// An empty graph for vectors of `dims` numbers.
    ///
    /// # Errors
    ///
    /// [`VectorError::Graph`] if there is no memory for it.
    pub fn new(dims: usize) -> Result<Self, VectorError> {
        let options = IndexOptions {
            dimensions: dims,
            metric: MetricKind::IP,
            quantization: ScalarKind::BF16,
            connectivity: LINKS,
            expansion_add: LOOK_ADD,
            expansion_search: LOOK_SEARCH,
            multi: false,
        };
        let index = Index::new(&options).map_err(|e| failed("start", &e))?;
        let graph = Self {
            index,
            dims,
            room: RwLock::new(()),
            adding: RwLock::new(()),
            gate: Gate::new(THREADS_MAX),
        };
        graph.reserve(64)?;
        Ok(graph)
    }

    /// Makes room for `capacity` vectors in all. Searches wait meanwhile.
    ///
    /// # Errors
    ///
    /// [`VectorError::Graph`] if there is no memory for it.
    pub fn reserve(&self, capacity: usize) -> Result<(), VectorError> {
        let _still = self.adding.write();
        if capacity <= self.index.capacity() {
            return Ok(());
        }
        let _alone = self.room.write();
        self.index
            .reserve_capacity_and_threads(capacity, THREADS_MAX)
            .map_err(|e| failed("make room", &e))
    }

    /// Adds `vector` under `key`, which must be new. Room must have been made.
    ///
    /// # Errors
    ///
    /// [`VectorError::Dims`], or [`VectorError::Graph`] if there is no room or the key exists.
    pub fn add(&self, key: u64, vector: &Unit) -> Result<(), VectorError> {
        vector.check_dims(self.dims)?;
        let _pass = self.gate.enter();
        let _adding = self.adding.read();
        let _shared = self.room.read();
        self.index
            .add(key, &vector.widened())
            .map_err(|e| failed("add a vector", &e))
    }

    /// The bytes of the graph, vectors included, removed ones too.
    ///
    /// # Errors
    ///
    /// [`VectorError::Graph`] if there is no memory for it.
    pub fn save(&self) -> Result<Vec<u8>, VectorError> {
        let _still = self.adding.write();
        let mut bytes = vec![0; self.index.serialized_length()];
        self.index
            .save_to_buffer(&mut bytes)
            .map_err(|e| failed("save", &e))?;
        Ok(bytes)
    }

    /// The inverse of [`Self::save`]. The bytes must be authentic: usearch trusts them.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if they are of a graph of another kind or dimension.
    pub fn load(dims: usize, bytes: &[u8]) -> Result<Self, VectorError> {
        let head = Index::metadata_from_buffer(bytes).map_err(|e| failed("load", &e))?;
        let kind = head.metric == MetricKind::IP && head.quantization == ScalarKind::BF16;
        if head.dimensions != dims as u64 || head.multi || !kind {
            let reason = format!("it is not a bf16 inner product graph of {dims} dimensions");
            return Err(VectorError::Graph {
                doing: "load",
                reason,
            });
        }
        if head.count_present > (bytes.len() / (dims.max(1) * 2)) as u64 {
            let reason = format!("{} vectors do not fit its bytes", head.count_present);
            return Err(VectorError::Graph {
                doing: "load",
                reason,
            });
        }
        let graph = Self::new(dims)?;
        graph
            .index
            .load_from_buffer(bytes)
            .map_err(|e| failed("load", &e))?;
        graph.index.change_expansion_add(LOOK_ADD);
        graph.index.change_expansion_search(LOOK_SEARCH);
        if graph.index.dimensions() != dims || graph.len() as u64 != head.count_present {
            let reason = "what was loaded is not what its head says".to_owned();
            return Err(VectorError::Graph {
                doing: "load",
                reason,
            });
        }
        // Loading forgets the threads, so room is made even where there is enough.
        graph
            .index
            .reserve_capacity_and_threads(graph.len() + 64, THREADS_MAX)
            .map_err(|e| failed("make room", &e))?;
        Ok(graph)
    }
}

impl VectorIndex for Graph {
    fn len(&self) -> usize {
        self.index.size()
    }

    fn nearest(&self, query: &Unit, count: usize) -> Result<Vec<Near>, VectorError> {
        query.check_dims(self.dims)?;
        let count = count.clamp(1, NEAREST_MAX);
        let question = query.widened();
        let _pass = self.gate.enter();
        let _shared = self.room.read();
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let found = self
            .index
            .search(&question, count)
            .map_err(|e| failed("search", &e))?;
        let near = |(&key, &distance): (&u64, &f32)| Near {
            key,
            cosine: 1.0 - distance,
        };
        Ok(found.keys.iter().zip(&found.distances).map(near).collect())
    }
}

fn failed(doing: &'static str, error: &dyn std::error::Error) -> VectorError {
    VectorError::Graph {
        doing,
        reason: error.to_string(),
    }
}

/// Lets so many threads in and no more; usearch fails with a misleading error beyond its threads.
struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Pass<'a>(&'a Gate);

impl Gate {
    fn new(free: usize) -> Self {
        Self {
            free: Mutex::new(free),
            freed: Condvar::new(),
        }
    }

    fn enter(&self) -> Pass<'_> {
        let mut free = self.free.lock();
        while *free == 0 {
            self.freed.wait(&mut free);
        }
        *free -= 1;
        Pass(self)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

//! The deciding against a second, naive implementation of the store.

mod command;
mod credentials;
mod delegation;
mod directory;
mod duplicates;
mod embeddings;
mod invariant;
mod limits;
mod make;
mod matrix;
mod memories;
mod pairs;
mod policies;
mod purges;
mod retentions;
mod reviews;
mod sequence;
mod sessions;
mod world;

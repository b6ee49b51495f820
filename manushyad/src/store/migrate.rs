//! From the schema of the file to that of this release: forward only, one transaction a step.

use redb::{Database, ReadableDatabase, WriteTransaction};

use super::begin_durable;
use super::error::StoreError;
use super::schema::{META, META_SCHEMA, SCHEMA};

/// Brings a database from the schema before to the next. It runs in the transaction that also
/// writes the number of the next, so that a crash leaves one or the other.
pub(super) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// The steps from schema 1 on: the first leads to schema 2.
pub(super) const STEPS: &[Step] = &[];

const _: () = assert!(
    STEPS.len() + 1 == SCHEMA as usize,
    "a schema has no step to it"
);

/// The schema of a file.
pub(super) fn schema_of(db: &Database) -> Result<u32, StoreError> {
    let txn = db.begin_read()?;
    let meta = txn.open_table(META)?;
    let row = meta
        .get(META_SCHEMA)?
        .ok_or_else(|| StoreError::corrupted("the schema row is missing"))?;
    let bytes: [u8; 4] = row
        .value()
        .try_into()
        .map_err(|_| StoreError::corrupted("the schema row is malformed"))?;
    Ok(u32::from_be_bytes(bytes))
}

/// Takes all steps the file has not taken; `steps` leads from schema 1 to the newest.
///
/// # Errors
///
/// [`StoreError::NewerSchema`] if the file is beyond the last step.
pub(super) fn migrate(db: &Database, steps: &[Step]) -> Result<(), StoreError> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX) + 1;
    let found = schema_of(db)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found == 0 {
        return Err(StoreError::corrupted("the schema row is malformed"));
    }
    for (step, next) in steps.iter().zip(2u32..).skip(found as usize - 1) {
        let txn = begin_durable(db)?;
        step(&txn)?;
        txn.open_table(META)?
            .insert(META_SCHEMA, next.to_be_bytes().as_slice())?;
        txn.commit()?;
    }
    Ok(())
}

//! Looks for bytes in every file of a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder, in order. What goes while it is looked for is left out.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => found.extend(files(&path)),
            Ok(metadata) if metadata.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// Something that must not be on disk.
#[derive(Clone, Debug)]
pub struct Needle {
    /// What it is, for messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Needle {
    /// A named needle.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// Whether the bytes hold the needle.
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return true;
    };
    let mut from = 0;
    while let Some(at) = hay
        .get(from..)
        .and_then(|rest| rest.iter().position(|b| b == first))
    {
        if hay[from + at..].starts_with(needle) {
            return true;
        }
        from += at + 1;
    }
    false
}

/// Every needle that stands in a file of the folder or in a file's name, with the file.
pub fn find(folder: &Path, needles: &[Needle]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(folder) {
        let bytes = fs::read(&path).unwrap_or_default();
        let name = path.to_string_lossy().into_owned();
        for needle in needles {
            if contains(&bytes, &needle.bytes) || contains(name.as_bytes(), &needle.bytes) {
                found.push(format!("{} is in {name}", needle.name));
            }
        }
    }
    found
}

/// Needles for a vector as f32 and as bf16, little-endian: every run of eight numbers without a
/// zero, so that no file has one by chance.
pub fn vector_needles(name: &str, vector: &[f32]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for (place, run) in vector.windows(8).enumerate() {
        if run.contains(&0.0) {
            continue;
        }
        let full: Vec<u8> = run.iter().flat_map(|x| x.to_le_bytes()).collect();
        let half: Vec<u8> = run
            .iter()
            .flat_map(|x| half::bf16::from_f32(*x).to_le_bytes())
            .collect();
        needles.push(Needle::new(format!("f32 {place}.. of {name}"), full));
        needles.push(Needle::new(format!("bf16 {place}.. of {name}"), half));
    }
    needles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needle_is_found_where_it_is_and_nowhere_else() {
        assert!(contains(b"aaab", b"aab"));
        assert!(contains(b"ab", b"b"));
        assert!(!contains(b"aaa", b"aab"));
        assert!(!contains(b"", b"a"));
        let home = crate::Home::new();
        home.write("a/b", "xx needle xx");
        home.write("a/c", "nothing");
        let needles = [Needle::new("it", "needle"), Needle::new("other", "hay")];
        let found = find(home.path(), &needles);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("it is in") && found[0].ends_with("/a/b"));
    }

    #[test]
    fn vectors_are_found_in_both_forms() {
        let vector: Vec<f32> = (1_u8..=16).map(|i| f32::from(i) / 7.0).collect();
        let needles = vector_needles("v", &vector);
        let full: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        let half: Vec<u8> = vector
            .iter()
            .flat_map(|x| half::bf16::from_f32(*x).to_le_bytes())
            .collect();
        for bytes in [full, half] {
            assert!(needles.iter().any(|needle| contains(&bytes, &needle.bytes)));
        }
        assert!(vector_needles("zero", &[0.0; 32]).is_empty());
    }
}

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The definition of RFC 6962 section 2.1, word for word.
fn oracle(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => Hash(Sha256::digest(b"").into()),
        1 => leaves[0],
        n => {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            node_hash(oracle(&leaves[..k]), oracle(&leaves[k..]))
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count)
        .map(|n| leaf_hash(&(n as u64).to_be_bytes()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn frontier_is_the_definition(raw in prop::collection::vec(any::<[u8; 32]>(), 0..140)) {
        let leaves: Vec<Hash> = raw.into_iter().map(Hash).collect();
        let mut frontier = Frontier::new();
        for (n, &leaf) in leaves.iter().enumerate() {
            prop_assert_eq!(frontier.root(), oracle(&leaves[..n]));
            frontier.append(leaf);
            let read = Frontier::from_bytes(&frontier.to_bytes());
            prop_assert_eq!(read.as_ref(), Ok(&frontier));
        }
        prop_assert_eq!(frontier.size(), leaves.len() as u64);
        prop_assert_eq!(frontier.root(), oracle(&leaves));
        prop_assert_eq!(root_of(&leaves), oracle(&leaves));
    }

    #[test]
    fn frontier_bytes_have_one_form(
        size in prop_oneof![0_u64..300, any::<u64>()],
        noise in prop::collection::vec(any::<u8>(), 0..2100),
        fit in any::<bool>(),
    ) {
        let mut bytes = size.to_be_bytes().to_vec();
        bytes.extend(noise);
        if fit {
            bytes.resize(8 + 32 * size.count_ones() as usize, 9);
        }
        let read = Frontier::from_bytes(&bytes);
        prop_assert_eq!(
            read.is_ok(),
            size <= SIZE_MAX && bytes.len() == 8 + 32 * size.count_ones() as usize
        );
        if let Ok(mut frontier) = read {
            prop_assert_eq!(frontier.to_bytes(), bytes);
            frontier.append(Hash([5; 32]));
            prop_assert_eq!(frontier.peaks().len(), (size + 1).count_ones() as usize);
        }
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        numbers in (any::<u64>(), any::<u64>()),
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        let (a, b) = numbers;
        let (one, two) = (Hash([1; 32]), Hash([2; 32]));
        prop_assert!(!verify_inclusion(one, a, b, &proof, two) || (b == 1 && one == two));
        prop_assert!(!verify_consistency(a, b, one, two, &proof));
        prop_assert!(!verify_consistency(a, u64::MAX, one, two, &proof));
        prop_assert!(!verify_consistency(u64::MAX, a, one, two, &proof));
    }
}

#[test]
fn inclusion_holds_for_the_leaf_at_its_place_and_no_other() {
    for size in 1..=33 {
        let leaves = leaves(size);
        let root = oracle(&leaves);
        for index in 0..size {
            let proof = inclusion_proof(&leaves, index).unwrap();
            for (other, &leaf) in leaves.iter().enumerate() {
                for place in 0..size as u64 + 1 {
                    assert_eq!(
                        verify_inclusion(leaf, place, size as u64, &proof, root),
                        other == index && place == index as u64,
                        "size {size}, index {index}, leaf {other}, place {place}"
                    );
                }
            }
            for bad in corrupt(&proof) {
                assert!(!verify_inclusion(
                    leaves[index],
                    index as u64,
                    size as u64,
                    &bad,
                    root
                ));
            }
        }
        assert_eq!(inclusion_proof(&leaves, size), None);
    }
}

#[test]
fn consistency_holds_for_the_true_prefix_and_no_other() {
    for size in 1..=33 {
        let leaves = leaves(size);
        let second_root = oracle(&leaves);
        let second = size as u64;
        for first in 1..=size {
            let proof = consistency_proof(&leaves, first).unwrap();
            for claimed in 0..=size {
                let root = oracle(&leaves[..claimed]);
                assert_eq!(
                    verify_consistency(first as u64, second, root, second_root, &proof),
                    claimed == first,
                    "prefix {first} of {size}, root of {claimed}"
                );
            }
            let first_root = oracle(&leaves[..first]);
            let mut forked = leaves.clone();
            forked[first - 1] = Hash([0xee; 32]);
            let forked = oracle(&forked);
            let first = first as u64;
            assert!(!verify_consistency(
                first, second, first_root, forked, &proof
            ));
            for bad in corrupt(&proof) {
                assert!(!verify_consistency(
                    first,
                    second,
                    first_root,
                    second_root,
                    &bad
                ));
            }
        }
        assert_eq!(consistency_proof(&leaves, 0), None);
        assert_eq!(consistency_proof(&leaves, size + 1), None);
    }
}

/// Every proof that is one change away.
fn corrupt(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut bad = Vec::new();
    for at in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(at, Hash([0xaa; 32]));
        bad.push(longer);
    }
    for at in 0..proof.len() {
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        bad.push(shorter);
        let mut flipped = proof.to_vec();
        flipped[at].0[at % 32] ^= 0x10;
        bad.push(flipped);
    }
    bad
}

/// The public test vectors, if this machine has them. A relative path starts at the workspace.
fn vectors() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("MANUSHYA_CONFORMANCE") else {
        println!("skipped: MANUSHYA_CONFORMANCE is not set");
        return None;
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Some(workspace.join(root).join("merkle-rfc6962"))
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            json_files(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
}

/// A hash of a probe; none where it has another length, which the types here cannot even hold.
fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
    bytes.try_into().ok().map(Hash)
}

/// The same for the roots of a consistency probe, some of which are words where only their being
/// equal matters; a word's hash keeps that.
fn root(value: &Value) -> Hash {
    let word = value.as_str().unwrap();
    hash(value).unwrap_or_else(|| leaf_hash(word.as_bytes()))
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    match value {
        Value::Null => Some(Vec::new()),
        list => list.as_array().unwrap().iter().map(hash).collect(),
    }
}

fn probe(folder: &str, check: impl Fn(&Value) -> Option<bool>) {
    let Some(root) = vectors() else { return };
    let mut files = Vec::new();
    json_files(&root.join("testdata").join(folder), &mut files);
    let (mut good, mut bad) = (0, 0);
    for path in files {
        let case = json(&path);
        let refuse = case["wantErr"].as_bool().unwrap();
        let verified = check(&case).unwrap_or(false);
        assert_eq!(verified, !refuse, "{}", path.display());
        if refuse {
            bad += 1;
        } else {
            good += 1;
        }
    }
    println!("{folder}: {good} good and {bad} corrupted proofs");
    assert!(good >= 5 && bad >= 80);
}

#[test]
fn inclusion_probes_verify_as_they_should() {
    probe("inclusion", |case| {
        Some(verify_inclusion(
            hash(&case["leafHash"])?,
            case["leafIdx"].as_u64().unwrap(),
            case["treeSize"].as_u64().unwrap(),
            &hashes(&case["proof"])?,
            hash(&case["root"])?,
        ))
    });
}

#[test]
fn consistency_probes_verify_as_they_should() {
    probe("consistency", |case| {
        Some(verify_consistency(
            case["size1"].as_u64().unwrap(),
            case["size2"].as_u64().unwrap(),
            root(&case["root1"]),
            root(&case["root2"]),
            &hashes(&case["proof"])?,
        ))
    });
}

#[test]
fn published_roots_are_computed() {
    let Some(root) = vectors() else { return };
    let case = json(&root.join("roots.json"));
    let bytes = |value: &Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let inputs = case["leaf_inputs_hex"].as_array().unwrap();
    let roots = case["root_by_tree_size_hex"].as_array().unwrap();
    assert_eq!((inputs.len(), roots.len()), (8, 9));
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().0.to_vec(), bytes(&roots[0]));
    for (input, expected) in inputs.iter().zip(&roots[1..]) {
        frontier.append(leaf_hash(&bytes(input)));
        assert_eq!(frontier.root().0.to_vec(), bytes(expected));
    }
}

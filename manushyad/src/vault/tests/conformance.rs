//! Public test vectors, found through `MANUSHYA_CONFORMANCE`.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

/// The folder of the vectors; says so if there is none.
fn vectors(what: &str) -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("MANUSHYA_CONFORMANCE") else {
        println!("skipped: {what} (MANUSHYA_CONFORMANCE is unset)");
        return None;
    };
    // Cargo runs tests in the folder of their crate; the variable counts from the workspace.
    let dir = PathBuf::from(dir);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Some(if dir.exists() { dir } else { root.join(dir) })
}

fn wycheproof(name: &str, mut check: impl FnMut(&Value, &Value)) -> usize {
    let Some(dir) = vectors(name) else { return 0 };
    let bytes = fs::read(dir.join("wycheproof").join(name)).unwrap();
    let suite: Value = serde_json::from_slice(&bytes).unwrap();
    let mut count = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            check(group, test);
            count += 1;
        }
    }
    assert_eq!(Some(count as u64), suite["numberOfTests"].as_u64());
    println!("{name}: {count} vectors");
    count
}

fn hex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(value.as_str().unwrap().as_bytes())
        .unwrap()
}

fn is_valid(test: &Value) -> bool {
    match test["result"].as_str().unwrap() {
        "valid" => true,
        "invalid" => false,
        other => panic!("unknown result {other}"),
    }
}

#[test]
fn xchacha20_poly1305_vectors() {
    wycheproof("xchacha20_poly1305_test.json", |_, test| {
        let key = Key::from_slice(&hex(&test["key"])).unwrap();
        let (iv, ct, tag) = (hex(&test["iv"]), hex(&test["ct"]), hex(&test["tag"]));
        if iv.len() != 24 {
            assert!(!is_valid(test));
            return;
        }
        let opened = key.open(&hex(&test["aad"]), &[iv, ct, tag].concat());
        let expected = is_valid(test).then(|| hex(&test["msg"]));
        assert_eq!(
            opened.map(|bytes| bytes.to_vec()),
            expected,
            "{}",
            test["tcId"]
        );
    });
}

#[test]
fn hmac_sha256_vectors() {
    wycheproof("hmac_sha256_test.json", |group, test| {
        let key = hex(&test["key"]);
        let tag_bytes = usize::try_from(group["tagSize"].as_u64().unwrap() / 8).unwrap();
        let made = match Key::from_slice(&key) {
            Some(key) => key.mac(),
            // Keys of other lengths check the crate; the vault has none.
            None => <hmac::Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap(),
        };
        let made = made.chain_update(hex(&test["msg"])).finalize().into_bytes();
        let same = made[..tag_bytes] == hex(&test["tag"])[..];
        assert_eq!(same, is_valid(test), "{}", test["tcId"]);
    });
}

#[test]
fn hkdf_sha256_vectors() {
    let mut through_the_vault = 0;
    let count = wycheproof("hkdf_sha256_test.json", |_, test| {
        let (ikm, salt, info) = (hex(&test["ikm"]), hex(&test["salt"]), hex(&test["info"]));
        let size = usize::try_from(test["size"].as_u64().unwrap()).unwrap();
        let mut okm = vec![0; size];
        let made = hkdf::Hkdf::<Sha256>::new(Some(&salt), &ikm).expand(&info, &mut okm);
        assert_eq!(made.is_ok(), is_valid(test), "{}", test["tcId"]);
        if made.is_ok() {
            assert_eq!(okm, hex(&test["okm"]), "{}", test["tcId"]);
        }
        let label = std::str::from_utf8(&info);
        if let (Some(key), true, Ok(label)) = (Key::from_slice(&ikm), salt.is_empty(), label) {
            let bytes = size.min(32);
            assert_eq!(key.derive(label).expose()[..bytes], okm[..bytes]);
            through_the_vault += 1;
        }
    });
    if count > 0 {
        println!("{through_the_vault} of them through the vault's own derivation");
    }
}

/// One file of the age test kit: a header of `key: value` lines, an empty line, the age file.
struct Kit {
    expect: String,
    payload: Option<String>,
    identities: Vec<String>,
    passphrases: Vec<String>,
    compressed: bool,
    file: Vec<u8>,
}

impl Kit {
    fn read(bytes: &[u8]) -> Self {
        let split = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
        let mut kit = Self {
            expect: String::new(),
            payload: None,
            identities: Vec::new(),
            passphrases: Vec::new(),
            compressed: false,
            file: bytes[split + 2..].to_vec(),
        };
        for line in std::str::from_utf8(&bytes[..split]).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            match key {
                "expect" => kit.expect = value.to_owned(),
                "payload" => kit.payload = Some(value.to_owned()),
                "identity" => kit.identities.push(value.to_owned()),
                "passphrase" => kit.passphrases.push(value.to_owned()),
                "compressed" => kit.compressed = true,
                _ => {}
            }
        }
        kit
    }

    /// Whether the file opens, through the vault's own opening; `None` if it is for keys or
    /// compression that the vault does not use.
    fn opens(&self) -> Option<Result<Zeroizing<Vec<u8>>, age::DecryptError>> {
        if self.compressed {
            return None;
        }
        if let [passphrase] = &self.passphrases[..] {
            let passphrase = SecretString::from(passphrase.clone());
            let identity = envelope::passphrase_identity(&passphrase);
            return Some(envelope::decrypt(&identity, &self.file));
        }
        let [identity] = &self.identities[..] else {
            return None;
        };
        let identity: x25519::Identity = identity.parse().ok()?;
        Some(envelope::decrypt(&identity, &self.file))
    }
}

#[test]
fn age_test_kit() {
    let Some(dir) = vectors("age test kit") else {
        return;
    };
    let (mut run, mut skipped, mut excepted) = (0, 0, 0);
    for entry in fs::read_dir(dir.join("age-cctv/testdata")).unwrap() {
        let path = entry.unwrap().path();
        let kit = Kit::read(&fs::read(&path).unwrap());
        let Some(opened) = kit.opens() else {
            skipped += 1;
            continue;
        };
        run += 1;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        // The age crate reads two old spellings of a stanza's last line that the format has since
        // forbidden, and does not read blank lines before armor. Its own run of this kit excepts
        // the same three files.
        let agrees = ![
            "stanza_missing_body",
            "stanza_missing_final_line",
            "armor_whitespace_outside",
        ]
        .contains(&name);
        let expected = agrees == (kit.expect == "success");
        assert_eq!(opened.is_ok(), expected, "{name}: {:?}", opened.err());
        if !agrees {
            excepted += 1;
            continue;
        }
        if let Ok(bytes) = opened {
            let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
            assert_eq!(Some(hash), kit.payload, "{name}");
        }
    }
    println!(
        "age test kit: {run} files, {excepted} excepted, {skipped} for other keys or compressed"
    );
    assert!(run > 80, "only {run} files were run");
}

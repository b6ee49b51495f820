//! Damaged files: an error, never a panic, never another key.

use super::*;

/// Opens after `bytes` took the place of `name`; returns whether it opened, with the same keys.
fn opens_with(home: &Home, name: &str, bytes: &[u8], tag: [u8; 16]) -> bool {
    home.put(name, bytes);
    match home.open() {
        Ok(vault) => {
            assert_eq!(vault.blind("d", b"x"), tag, "{name} gave another key");
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains("AGE-SECRET-KEY"), "{text}");
            false
        }
    }
}

#[test]
fn flipped_and_cut_files_do_not_open() {
    let (home, vault) = Home::make();
    let tag = vault.blind("d", b"x");
    drop(vault);
    for name in [IDENTITY, ROOT, KEYSTORE] {
        let good = home.read(name);
        let mut opened = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at * 5 % 8);
            opened += u32::from(opens_with(&home, name, &bad, tag));
            if at + 1 < good.len() {
                opened += u32::from(opens_with(&home, name, &good[..at], tag));
            }
        }
        let mut longer = good.clone();
        longer.push(b'0');
        opened += u32::from(opens_with(&home, name, &longer, tag));
        assert_eq!(opened, 0, "{name}");
        assert!(opens_with(&home, name, &good, tag));
    }
}

#[test]
fn reordered_removed_and_doubled_entries_do_not_open() {
    let (home, vault) = Home::make();
    vault.fresh_key().unwrap();
    let tag = vault.blind("d", b"x");
    drop(vault);
    let good = home.read(KEYSTORE);
    let (entry, mac) = (81, 32);
    let end = good.len() - mac;
    let (last, before) = (end - entry..end, end - 2 * entry..end - entry);

    let mut swapped = good.clone();
    swapped.copy_within(before.clone(), last.start);
    swapped[before.clone()].copy_from_slice(&good[last.clone()]);
    let mut doubled = good.clone();
    doubled.copy_within(before, last.start);
    let mut removed = good.clone();
    removed.drain(last);
    for bad in [swapped, doubled, removed] {
        assert!(!opens_with(&home, KEYSTORE, &bad, tag));
    }
    assert!(opens_with(&home, KEYSTORE, &good, tag));
}

#[test]
fn files_of_another_vault_do_not_open() {
    let (home, vault) = Home::make();
    let (other_home, other) = Home::make();
    let file = other.seal_file(b"index").unwrap();
    assert!(matches!(
        vault.open_file(&file),
        Err(CipherError::NotAuthentic)
    ));
    let tag = vault.blind("d", b"x");
    assert_ne!(tag, other.blind("d", b"x"));
    for name in [IDENTITY, ROOT, KEYSTORE] {
        let good = home.read(name);
        assert!(!opens_with(&home, name, &other_home.read(name), tag));
        assert!(opens_with(&home, name, &good, tag));
    }
}

#[test]
fn sealed_file_flipped_or_cut_does_not_open() {
    let (_home, vault) = Home::make();
    let sealed = vault.seal_file(b"index").unwrap();
    for at in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 1 << (at % 8);
        for bad in [&bad[..], &sealed[..at]] {
            assert!(matches!(
                vault.open_file(bad),
                Err(CipherError::NotAuthentic)
            ));
        }
    }
    assert_eq!(&**vault.open_file(&sealed).unwrap(), b"index");
    // What age to this host alone encrypts, anyone who knows the recipient could have made.
    let recipient = vault.identity.to_public();
    let bare = envelope::encrypt(Path::new("x"), &[&recipient], b"index").unwrap();
    assert!(matches!(
        vault.open_file(&bare),
        Err(CipherError::NotAuthentic)
    ));
}

#[test]
fn missing_and_giant_files_are_errors() {
    for name in [IDENTITY, ROOT, KEYSTORE] {
        let (home, vault) = Home::make();
        drop(vault);
        let path = home.dir.join(name);
        let limit = if name == KEYSTORE {
            keystore::FILE_BYTES_MAX
        } else {
            SMALL_FILE_BYTES_MAX
        };
        // A sparse file: as long as it says, with nothing in it.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(limit + 1).unwrap();
        assert!(
            matches!(home.open(), Err(VaultError::TooLarge { .. })),
            "{name}"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(home.open(), Err(VaultError::Io { .. })), "{name}");
        fs::create_dir(&path).unwrap();
        assert!(home.open().is_err(), "{name}");
    }
}

#[test]
fn identity_file_of_age_keygen_opens_and_one_of_two_keys_does_not() {
    let (home, vault) = Home::make();
    let tag = vault.blind("d", b"x");
    drop(vault);
    let line = home.read(IDENTITY);
    let commented = [b"# created: 2026-11-01\n# public key: age1\n", &line[..]].concat();
    assert!(opens_with(&home, IDENTITY, &commented, tag));
    assert!(!opens_with(
        &home,
        IDENTITY,
        &[&line[..], &line[..]].concat(),
        tag
    ));
    assert!(!opens_with(&home, IDENTITY, b"# nothing\n", tag));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        magic in 0..3usize,
    ) {
        let head: &[u8] = [&b""[..], b"MNSHROOT\0\x01", b"MNSHKEYS\0\x01\0\0\0\0\0\0\0\x01"][magic];
        let bytes = [head, &bytes].concat();
        let roots = [RootEpoch::after(0).unwrap()];
        prop_assert!(Keystore::decode(&bytes, &roots).is_err());
        if let Ok(roots) = root::decode(&bytes) {
            prop_assert_eq!(&*root::encode(&roots), &bytes);
        }
    }
}

//! What the vault keeps, and what it must never give back.

mod conformance;
mod damage;
mod erasure;
mod recovery;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A vault in a folder of its own, which goes when the test ends.
pub(super) struct Home {
    _tmp: TempDir,
    pub(super) dir: PathBuf,
}

impl Home {
    pub(super) fn make() -> (Self, Vault) {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("keys");
        let vault = Vault::create(&dir, Unlock::Host, None).unwrap();
        (Self { _tmp: tmp, dir }, vault)
    }

    pub(super) fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(&self.dir, Unlock::Host)
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join(name)).unwrap()
    }

    /// Puts `bytes` in place of a file, leaving its mode as it is.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.join(name), bytes).unwrap();
    }
}

pub(super) fn place() -> Place {
    Place {
        table: "memory",
        tenant: [1; 16],
        subject: [2; 16],
        record: [3; 16],
        version: 4,
        schema: 5,
    }
}

fn shared() -> &'static (Home, Vault, DataKeyId, DataKeyId) {
    static SHARED: OnceLock<(Home, Vault, DataKeyId, DataKeyId)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (home, vault) = Home::make();
        let (a, b) = (vault.fresh_key().unwrap(), vault.fresh_key().unwrap());
        (home, vault, a, b)
    })
}

fn elsewhere() -> Vec<Place> {
    let (here, mut places) = (place(), Vec::new());
    places.push(Place {
        table: "memorz",
        ..here
    });
    places.push(Place {
        table: "memor",
        ..here
    });
    places.push(Place {
        tenant: [9; 16],
        ..here
    });
    places.push(Place {
        subject: [9; 16],
        ..here
    });
    places.push(Place {
        record: [9; 16],
        ..here
    });
    places.push(Place { version: 5, ..here });
    places.push(Place { schema: 4, ..here });
    places
}

proptest! {
    #[test]
    fn sealed_record_opens_in_its_place_and_nowhere_else(
        plaintext in proptest::collection::vec(any::<u8>(), 0..600),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let (_, vault, key, other) = shared();
        let sealed = vault.seal(*key, &place(), &plaintext).unwrap();
        prop_assert_eq!(sealed.len(), plaintext.len() + 40);
        prop_assert_eq!(&*vault.open(*key, &place(), &sealed).unwrap(), &plaintext);
        let refused = |key, place: &Place, bytes: &[u8]| {
            matches!(vault.open(key, place, bytes), Err(CipherError::NotAuthentic))
        };
        prop_assert!(refused(*other, &place(), &sealed));
        for place in elsewhere() {
            prop_assert!(refused(*key, &place, &sealed));
        }
        let mut flipped = sealed.clone();
        flipped[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(refused(*key, &place(), &flipped));
        prop_assert!(refused(*key, &place(), &sealed[..at.index(sealed.len())]));
        let mut longer = sealed;
        longer.push(0);
        prop_assert!(refused(*key, &place(), &longer));
    }

    #[test]
    fn blind_tag_tells_domains_and_bytes_apart(
        a in proptest::collection::vec(any::<u8>(), 0..40),
        b in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let (_, vault, ..) = shared();
        prop_assert_eq!(vault.blind("key", &a), vault.blind("key", &a));
        prop_assert_eq!(a == b, vault.blind("key", &a) == vault.blind("key", &b));
        prop_assert_ne!(vault.blind("key", &a), vault.blind("name", &a));
        prop_assert_ne!(vault.blind("", &a), vault.blind("k", &a));
    }
}

#[test]
fn sealing_twice_never_gives_the_same_bytes() {
    let (_, vault, key, _) = shared();
    let one = vault.seal(*key, &place(), b"same").unwrap();
    assert_ne!(one, vault.seal(*key, &place(), b"same").unwrap());
}

#[test]
fn key_that_never_was_is_gone() {
    let (_, vault, ..) = shared();
    let never = DataKeyId(u64::MAX);
    assert!(matches!(
        vault.seal(never, &place(), b""),
        Err(CipherError::KeyGone(id)) if id == never
    ));
    assert!(matches!(
        vault.open(never, &place(), &[0; 64]),
        Err(CipherError::KeyGone(_))
    ));
}

#[test]
fn everything_survives_reopening() {
    let (home, vault) = Home::make();
    let key = vault.fresh_key().unwrap();
    assert_eq!(vault.keys(), [key]);
    let sealed = vault.seal(key, &place(), b"kept").unwrap();
    let file = vault.seal_file(b"index").unwrap();
    let tag = vault.blind("d", b"x");
    let audit = vault.audit_signing_key().to_bytes();
    let jwt: Vec<_> = vault.jwt_keys();
    drop(vault);

    let vault = home.open().unwrap();
    assert_eq!(&**vault.open(key, &place(), &sealed).unwrap(), b"kept");
    assert_eq!(&**vault.open_file(&file).unwrap(), b"index");
    assert_eq!(vault.blind("d", b"x"), tag);
    assert_eq!(vault.audit_signing_key().to_bytes(), audit);
    assert_eq!(vault.jwt_keys().len(), 1);
    assert_eq!(vault.jwt_keys()[0].0, jwt[0].0);
    assert_eq!(vault.jwt_keys()[0].1.to_bytes(), jwt[0].1.to_bytes());
    assert_ne!(audit, jwt[0].1.to_bytes());
}

#[test]
fn fresh_keys_come_from_spares_and_never_twice() {
    let (home, vault) = Home::make();
    let mut seen = HashSet::from([vault.fresh_key().unwrap()]);
    let file = home.read(KEYSTORE);
    for _ in 1..SPARES.0 {
        assert!(seen.insert(vault.fresh_key().unwrap()));
    }
    assert_eq!(home.read(KEYSTORE), file, "spares cost no write");
    assert!(seen.insert(vault.fresh_key().unwrap()));
    assert_ne!(home.read(KEYSTORE), file);

    let ids: Vec<Vec<DataKeyId>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..200).map(|_| vault.fresh_key().unwrap()).collect()))
            .collect();
        workers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for id in ids.into_iter().flatten() {
        assert!(seen.insert(id), "{id} was given out twice");
    }
    assert_eq!(vault.keys().into_iter().collect::<HashSet<_>>(), seen);
}

#[test]
fn start_after_a_crash_destroys_what_nothing_uses() {
    let (home, vault) = Home::make();
    let used = vault.fresh_key().unwrap();
    let unused = vault.fresh_key().unwrap();
    let sealed = vault.seal(used, &place(), b"kept").unwrap();
    drop(vault);
    let vault = home.open().unwrap();
    let highest = vault.keys().into_iter().max().unwrap();
    assert_eq!(vault.keys().len(), SPARES.0);
    assert_eq!(vault.retain(&HashSet::from([used])).unwrap(), SPARES.0 - 1);
    assert_eq!(vault.keys(), [used]);
    assert_eq!(vault.epoch(), 2);
    assert!(vault.seal(unused, &place(), b"").is_err());
    assert!(vault.open(used, &place(), &sealed).is_ok());
    drop(vault);
    assert!(home.open().unwrap().fresh_key().unwrap() > highest);
}

#[test]
fn start_after_an_orderly_end_finds_nothing_unused() {
    let (home, vault) = Home::make();
    let used = vault.fresh_key().unwrap();
    let file = vault.seal_file(b"index").unwrap();
    vault.drop_spares().unwrap();
    vault.drop_spares().unwrap();
    let next = vault.fresh_key().unwrap();
    assert!(next.0 > used.0 + 255, "dropped ids do not come again");
    vault.drop_spares().unwrap();
    drop(vault);
    let vault = home.open().unwrap();
    assert_eq!(vault.keys(), [used, next]);
    assert_eq!(vault.retain(&HashSet::from([used, next])).unwrap(), 0);
    assert_eq!(vault.epoch(), 1);
    assert!(vault.open_file(&file).is_ok());
}

#[test]
fn vault_is_never_made_over_another() {
    let (home, _vault) = Home::make();
    assert!(matches!(
        Vault::create(&home.dir, Unlock::Host, None),
        Err(VaultError::Exists(_))
    ));
    assert!(home.open().is_ok());
}

#[test]
fn vault_is_made_over_what_a_crash_left_of_making_it() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("data/keys");
    let draft = tmp.path().join("data/keys.creating");
    fs::create_dir_all(&draft).unwrap();
    fs::write(draft.join(IDENTITY), "half").unwrap();
    assert!(!Vault::exists(&dir));
    Vault::create(&dir, Unlock::Host, None).unwrap();
    assert!(Vault::exists(&dir) && !draft.exists());
}

#[test]
fn files_that_others_can_reach_are_refused() {
    let (home, vault) = Home::make();
    vault
        .replace_recovery(&RecoveryKey::generate().recipient())
        .unwrap();
    drop(vault);
    for name in [IDENTITY, ROOT, KEYSTORE, RECOVERY_RECIPIENT, ""] {
        let path = home.dir.join(name);
        let good = fs::metadata(&path).unwrap().permissions();
        assert_eq!(good.mode() & 0o077, 0, "{name} is made for its owner alone");
        for bad in [0o640, 0o604, 0o620, 0o755] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            let error = home.open().unwrap_err();
            assert!(matches!(error, VaultError::Permissive { mode, .. } if mode == bad));
            assert!(error.to_string().contains("run: chmod "), "{error}");
        }
        fs::set_permissions(&path, good).unwrap();
    }
    home.open().unwrap();
}

#[test]
fn passphrase_opens_and_no_other_does() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("keys");
    let unlock = |text: &str| Unlock::Passphrase(SecretString::from(text.to_owned()));
    let vault = Vault::create(&dir, unlock("correct horse"), None).unwrap();
    let tag = vault.blind("d", b"x");
    drop(vault);
    let armored = fs::read_to_string(dir.join(IDENTITY)).unwrap();
    assert!(!armored.contains("AGE-SECRET-KEY"));
    let base64: String = armored
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let binary = data_encoding::BASE64.decode(base64.as_bytes()).unwrap();

    assert!(matches!(
        Vault::open(&dir, Unlock::Host),
        Err(VaultError::PassphraseNeeded(_))
    ));
    assert!(matches!(
        Vault::open(&dir, unlock("correct hors")),
        Err(VaultError::PassphraseWrong(_))
    ));
    // The binary form of the same file is as good as the armored one.
    fs::write(dir.join(IDENTITY), &binary).unwrap();
    let vault = Vault::open(&dir, unlock("correct horse")).unwrap();
    assert_eq!(vault.blind("d", b"x"), tag);

    // A file that asks for hours of work is refused before any is done.
    let header = binary.windows(4).position(|four| four == b" 17\n").unwrap();
    let mut costly = binary.clone();
    costly[header + 1..header + 3].copy_from_slice(b"30");
    fs::write(dir.join(IDENTITY), &costly).unwrap();
    let Err(VaultError::Decrypt { source, .. }) = Vault::open(&dir, unlock("correct horse")) else {
        panic!("a file of work factor 30 must be refused");
    };
    assert!(matches!(*source, age::DecryptError::ExcessiveWork { .. }));
}

#[test]
fn passphrase_for_a_key_in_the_clear_is_refused() {
    let (home, _vault) = Home::make();
    let unlock = Unlock::Passphrase(SecretString::from("x".to_owned()));
    assert!(matches!(
        Vault::open(&home.dir, unlock),
        Err(VaultError::PassphraseUnused(_))
    ));
}

#[test]
fn no_key_and_no_plaintext_is_in_any_file() {
    const CANARY: &[u8] = b"canary-0d1f3c-the-user-prefers-dark-mode";
    let (home, vault) = Home::make();
    let (key, gone) = (vault.fresh_key().unwrap(), vault.fresh_key().unwrap());
    home.put("record", &vault.seal(key, &place(), CANARY).unwrap());
    home.put("snapshot", &vault.seal_file(CANARY).unwrap());
    vault.destroy(&[gone]).unwrap();
    let disk = vault.disk.lock();
    let mut secrets: Vec<Vec<u8>> = vec![CANARY.to_vec()];
    let keys = disk.keystore.entries().values().map(|entry| &*entry.key);
    for key in keys.chain(disk.roots.iter().map(|root| &root.key)) {
        secrets.push(key.expose().to_vec());
        secrets.push(data_encoding::HEXLOWER.encode(key.expose()).into_bytes());
        secrets.push(data_encoding::BASE64.encode(key.expose()).into_bytes());
    }
    assert!(secrets.len() > 3 * 256);
    for entry in fs::read_dir(&home.dir).unwrap() {
        let path = entry.unwrap().path();
        let windows_of = fs::read(&path).unwrap();
        let seen: HashSet<&[u8]> = windows_of.windows(32).collect();
        for secret in &secrets {
            assert!(
                !seen.contains(&secret[..32]),
                "a secret in {}",
                path.display()
            );
        }
    }
}

#[test]
fn debug_shows_nothing() {
    let (_, vault, ..) = shared();
    assert_eq!(format!("{vault:?}"), "Vault(..)");
}

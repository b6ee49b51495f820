//! The recovery key: it opens what the lost identity opened, and nobody else comes in by it.

use super::super::create::recipient_file;
use super::super::recovery::RecoveryKey;
use super::*;

fn made() -> (Home, Vault, RecoveryKey) {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("keys");
    let key = RecoveryKey::generate();
    let vault = Vault::create(&dir, Unlock::Host, Some(&key.recipient())).unwrap();
    (Home { _tmp: tmp, dir }, vault, key)
}

fn copy(key: &RecoveryKey) -> RecoveryKey {
    let secret = key.secret();
    RecoveryKey::read(Path::new("given"), secret.expose().as_bytes()).unwrap()
}

#[test]
fn recovery_key_makes_a_new_identity_and_is_itself_nowhere() {
    let (home, vault, key) = made();
    assert_eq!(vault.recovery_recipient(), Some(key.recipient()));
    assert!(!vault.recovery_key_present());
    let data = vault.fresh_key().unwrap();
    let sealed = vault.seal(data, &place(), b"kept").unwrap();
    let audit = vault.audit_signing_key().to_bytes();
    drop(vault);
    let lost = home.read(IDENTITY);
    let old_root = home.read(ROOT);
    fs::remove_file(home.dir.join(IDENTITY)).unwrap();
    assert!(home.open().is_err());
    let epoch = Vault::recover(&home.dir, copy(&key), &Unlock::Host).unwrap();
    let vault = home.open().unwrap();
    assert_eq!(vault.epoch(), epoch);
    assert_eq!(&**vault.open(data, &place(), &sealed).unwrap(), b"kept");
    assert_eq!(vault.audit_signing_key().to_bytes(), audit);
    drop(vault);
    assert_ne!(home.read(IDENTITY), lost);
    // The lost identity, found by somebody, opens the home no more; nor does the old root bring it back.
    let new = home.read(IDENTITY);
    home.put(IDENTITY, &lost);
    assert!(matches!(home.open(), Err(VaultError::Decrypt { .. })));
    let new_root = home.read(ROOT);
    home.put(ROOT, &old_root);
    assert!(matches!(home.open(), Err(VaultError::Format { .. })));
    home.put(ROOT, &new_root);
    home.put(IDENTITY, &new);
    home.open().unwrap();
    // It can be used again, and with a passphrase for the new identity.
    let locked = Unlock::Passphrase(SecretString::from("correct horse".to_owned()));
    Vault::recover(&home.dir, copy(&key), &locked).unwrap();
    assert!(matches!(home.open(), Err(VaultError::PassphraseNeeded(_))));
    Vault::open(&home.dir, locked).unwrap();
}

#[test]
fn other_keys_recover_nothing() {
    let (home, vault, key) = made();
    drop(vault);
    let before = [IDENTITY, ROOT, KEYSTORE].map(|name| home.read(name));
    let other = RecoveryKey::generate();
    assert!(matches!(
        Vault::recover(&home.dir, other, &Unlock::Host),
        Err(VaultError::Decrypt { .. })
    ));
    // The identity itself opens the root, and is no recovery key.
    let own = RecoveryKey::read(Path::new("own"), &before[0]).unwrap();
    assert!(matches!(
        Vault::recover(&home.dir, own, &Unlock::Host),
        Err(VaultError::Format { .. })
    ));
    assert!(RecoveryKey::read(Path::new("none"), b"age1notsecret").is_err());
    assert_eq!(
        [IDENTITY, ROOT, KEYSTORE].map(|name| home.read(name)),
        before
    );
    Vault::recover(&home.dir, key, &Unlock::Host).unwrap();
}

#[test]
fn new_recovery_key_shuts_the_old_one_out() {
    let (home, vault) = Home::make();
    assert_eq!(vault.recovery_recipient(), None);
    assert!(!home.dir.join(RECOVERY_RECIPIENT).exists());
    let data = vault.fresh_key().unwrap();
    let (first, second) = (RecoveryKey::generate(), RecoveryKey::generate());
    assert!(vault.replace_recovery("age1nobody").is_err());
    let one = vault.replace_recovery(&first.recipient()).unwrap();
    let two = vault.replace_recovery(&second.recipient()).unwrap();
    assert!(two > one);
    assert_eq!(vault.recovery_recipient(), Some(second.recipient()));
    assert!(vault.keys().contains(&data));
    drop(vault);
    let vault = home.open().unwrap();
    assert_eq!(vault.recovery_recipient(), Some(second.recipient()));
    drop(vault);
    assert!(Vault::recover(&home.dir, first, &Unlock::Host).is_err());
    Vault::recover(&home.dir, second, &Unlock::Host).unwrap();
}

#[test]
fn replacing_it_that_is_cut_anywhere_leaves_a_home_that_opens() {
    // What lies on disk after each step, put together as a crash would leave it.
    let (home, vault, first) = made();
    let names = [ROOT, KEYSTORE, RECOVERY_RECIPIENT];
    let second = RecoveryKey::generate();
    let start = names.map(|name| home.read(name));
    {
        let mut disk = vault.disk.lock();
        vault.announce_root(&mut disk).unwrap();
    }
    let announced = home.read(ROOT);
    drop(vault);
    home.put(ROOT, &announced);
    fs::remove_file(home.dir.join(RECOVERY_RECIPIENT)).unwrap();
    let vault = home.open().unwrap();
    assert_eq!(vault.recovery_recipient(), Some(first.recipient()));
    assert_eq!(home.read(RECOVERY_RECIPIENT), start[2]);
    {
        let mut disk = vault.disk.lock();
        file::remove_if_there(&home.dir.join(RECOVERY_RECIPIENT)).unwrap();
        vault.announce_root(&mut disk).unwrap();
        disk.keystore.set_recovery(second.recipient());
        vault.rewrap(&mut disk, &HashSet::new()).unwrap();
    }
    // The keystore names the new one, and both roots are still for the old one.
    drop(vault);
    let vault = home.open().unwrap();
    assert_eq!(vault.recovery_recipient(), Some(second.recipient()));
    drop(vault);
    assert!(Vault::recover(&home.dir, first, &Unlock::Host).is_err());
    Vault::recover(&home.dir, second, &Unlock::Host).unwrap();
}

#[test]
fn exchanged_recovery_recipient_is_refused_and_a_lost_one_written_again() {
    let (home, vault, _) = made();
    drop(vault);
    let good = home.read(RECOVERY_RECIPIENT);
    let other = x25519::Identity::generate().to_public();
    home.put(RECOVERY_RECIPIENT, recipient_file(&other).as_bytes());
    assert!(matches!(home.open(), Err(VaultError::Format { .. })));
    fs::remove_file(home.dir.join(RECOVERY_RECIPIENT)).unwrap();
    home.open().unwrap();
    assert_eq!(home.read(RECOVERY_RECIPIENT), good);
    // Nor is one taken where there is none.
    let (home, vault) = Home::make();
    drop(vault);
    fs::write(home.dir.join(RECOVERY_RECIPIENT), &good).unwrap();
    fs::set_permissions(
        home.dir.join(RECOVERY_RECIPIENT),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    assert!(matches!(home.open(), Err(VaultError::Format { .. })));
}

#[test]
fn old_home_with_its_recovery_key_beside_it_opens() {
    let (home, vault, key) = made();
    let path = home.dir.join(RECOVERY_KEY);
    let identity = envelope::write_identity(&path, &key.0, None).unwrap();
    file::write_new(&home.dir, RECOVERY_KEY, &identity).unwrap();
    assert!(vault.recovery_key_present());
    drop(vault);
    // As earlier releases said to recover: in place of the lost identity.
    fs::rename(home.dir.join(RECOVERY_KEY), home.dir.join(IDENTITY)).unwrap();
    home.open().unwrap();
}

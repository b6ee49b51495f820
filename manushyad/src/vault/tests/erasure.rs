//! Destroyed keys stay destroyed, whenever the power goes.

use super::*;

/// A vault with a key that is to go and one that is to stay, and a record under each.
struct Scene {
    home: Home,
    vault: Vault,
    gone: (DataKeyId, Vec<u8>),
    kept: (DataKeyId, Vec<u8>),
    snapshot: Vec<u8>,
    old_keystore: Vec<u8>,
}

impl Scene {
    fn set() -> Self {
        let (home, vault) = Home::make();
        let record = || {
            let key = vault.fresh_key().unwrap();
            (key, vault.seal(key, &place(), b"text").unwrap())
        };
        let (gone, kept) = (record(), record());
        let snapshot = vault.seal_file(b"index").unwrap();
        let old_keystore = home.read(KEYSTORE);
        Self {
            home,
            vault,
            gone,
            kept,
            snapshot,
            old_keystore,
        }
    }

    /// The vault after the process ended where it stood.
    fn reopened(self) -> Self {
        drop(self.vault);
        let vault = self.home.open().unwrap();
        Self { vault, ..self }
    }

    #[track_caller]
    fn check_erased(&self) {
        let (key, sealed) = &self.gone;
        assert!(matches!(
            self.vault.open(*key, &place(), sealed),
            Err(CipherError::KeyGone(_))
        ));
        assert!(!self.vault.keys().contains(key));
        assert!(matches!(
            self.vault.open_file(&self.snapshot),
            Err(CipherError::NotAuthentic)
        ));
        self.check_kept();
        assert_eq!(self.vault.disk.lock().roots.len(), 1);
        // An old copy of the keystore has no root any more.
        let present = self.home.read(KEYSTORE);
        self.home.put(KEYSTORE, &self.old_keystore);
        assert!(matches!(self.home.open(), Err(VaultError::Format { .. })));
        self.home.put(KEYSTORE, &present);
        self.home.open().unwrap();
    }

    #[track_caller]
    fn check_kept(&self) {
        let (key, sealed) = &self.kept;
        assert_eq!(&**self.vault.open(*key, &place(), sealed).unwrap(), b"text");
    }
}

#[test]
fn destroyed_key_opens_nothing_and_the_rest_goes_on() {
    let scene = Scene::set();
    let tag = scene.vault.blind("d", b"x");
    let audit = scene.vault.audit_signing_key().to_bytes();
    scene.vault.destroy(&[scene.gone.0]).unwrap();
    scene.check_erased();
    let scene = scene.reopened();
    scene.check_erased();
    assert_eq!(scene.vault.blind("d", b"x"), tag);
    assert_eq!(scene.vault.audit_signing_key().to_bytes(), audit);
}

#[test]
fn destroying_again_or_nothing_changes_nothing() {
    let scene = Scene::set();
    scene.vault.destroy(&[scene.gone.0]).unwrap();
    let epoch = scene.vault.epoch();
    let files = (scene.home.read(ROOT), scene.home.read(KEYSTORE));
    scene
        .vault
        .destroy(&[scene.gone.0, DataKeyId(u64::MAX)])
        .unwrap();
    scene.vault.destroy(&[]).unwrap();
    // The first keys are the system's own; they are no data keys and cannot be destroyed.
    scene.vault.destroy(&[1, 2, 3, 4].map(DataKeyId)).unwrap();
    assert_eq!(scene.vault.epoch(), epoch);
    assert_eq!((scene.home.read(ROOT), scene.home.read(KEYSTORE)), files);
    scene.check_erased();
}

#[test]
fn crash_after_step_one_keeps_all_keys_and_changes_the_root() {
    let scene = Scene::set();
    scene
        .vault
        .announce_root(&mut scene.vault.disk.lock())
        .unwrap();
    let scene = scene.reopened();
    scene.check_kept();
    assert_eq!(scene.vault.epoch(), 2);
    // The keys that were to go are named by the caller again.
    assert!(scene.vault.keys().contains(&scene.gone.0));
    scene.vault.destroy(&[scene.gone.0]).unwrap();
    scene.check_erased();
    scene.reopened().check_erased();
}

#[test]
fn crash_after_step_two_is_finished_on_opening() {
    let scene = Scene::set();
    {
        let mut disk = scene.vault.disk.lock();
        scene.vault.announce_root(&mut disk).unwrap();
        scene
            .vault
            .rewrap(&mut disk, &HashSet::from([scene.gone.0.0]))
            .unwrap();
    }
    let scene = scene.reopened();
    scene.check_erased();
    scene.reopened().check_erased();
}

#[test]
fn crash_while_a_file_is_written_leaves_the_old_one() {
    let scene = Scene::set();
    for name in [ROOT, KEYSTORE] {
        scene.home.put(&format!("{name}.tmp"), b"half of a fi");
    }
    let scene = scene.reopened();
    scene.check_kept();
    assert_eq!(scene.vault.epoch(), 1);
    for name in [ROOT, KEYSTORE] {
        assert!(!scene.home.dir.join(format!("{name}.tmp")).exists());
    }
}

/// Makes every write of `name` fail while `work` runs: its temporary name is taken by a folder.
fn with_writes_failing(home: &Home, name: &str, work: impl FnOnce()) {
    let block = home.dir.join(format!("{name}.tmp"));
    fs::create_dir(&block).unwrap();
    work();
    fs::remove_dir(&block).unwrap();
}

#[test]
fn failed_step_is_taken_up_by_the_next_call() {
    for name in [ROOT, KEYSTORE] {
        let scene = Scene::set();
        with_writes_failing(&scene.home, name, || {
            for _ in 0..2 {
                let result = scene.vault.destroy(&[scene.gone.0]);
                assert!(matches!(result, Err(CipherError::Keystore(_))), "{name}");
                scene.check_kept();
            }
        });
        // A key made in between is as durable as any.
        let made = scene.vault.fresh_key().unwrap();
        let sealed = scene.vault.seal(made, &place(), b"made").unwrap();
        scene.vault.destroy(&[scene.gone.0]).unwrap();
        scene.check_erased();
        let scene = scene.reopened();
        scene.check_erased();
        assert!(scene.vault.open(made, &place(), &sealed).is_ok());
    }
}

#[test]
fn crash_after_a_failed_step_opens() {
    for name in [ROOT, KEYSTORE] {
        let scene = Scene::set();
        with_writes_failing(&scene.home, name, || {
            scene.vault.destroy(&[scene.gone.0]).unwrap_err();
        });
        let scene = scene.reopened();
        scene.check_kept();
        scene.vault.destroy(&[scene.gone.0]).unwrap();
        scene.check_erased();
    }
}

/// A write can reach the disk and be reported as failed. Taking it up must not bring another root
/// of the same epoch, under which that file would not open.
#[test]
fn write_that_failed_after_reaching_the_disk_still_opens() {
    let scene = Scene::set();
    {
        let mut disk = scene.vault.disk.lock();
        scene.vault.announce_root(&mut disk).unwrap();
        let newest = disk.roots.last().unwrap();
        let written = disk.keystore.rewrapped(newest, |id| id == scene.gone.0.0);
        scene.home.put(KEYSTORE, &written.unwrap().encode());
        scene.vault.announce_root(&mut disk).unwrap();
    }
    scene.reopened().check_erased();
}

#[test]
fn failed_last_step_does_not_spare_the_keys_of_the_next_call() {
    let scene = Scene::set();
    let (second, sealed) = {
        let key = scene.vault.fresh_key().unwrap();
        (key, scene.vault.seal(key, &place(), b"two").unwrap())
    };
    {
        let mut disk = scene.vault.disk.lock();
        scene.vault.announce_root(&mut disk).unwrap();
        scene
            .vault
            .rewrap(&mut disk, &HashSet::from([scene.gone.0.0]))
            .unwrap();
    }
    let middle_keystore = scene.home.read(KEYSTORE);
    with_writes_failing(&scene.home, ROOT, || {
        scene.vault.destroy(&[second]).unwrap_err();
    });
    scene.vault.destroy(&[second]).unwrap();
    assert!(scene.vault.open(second, &place(), &sealed).is_err());
    assert_eq!(scene.vault.epoch(), 3);
    let present = scene.home.read(KEYSTORE);
    scene.home.put(KEYSTORE, &middle_keystore);
    assert!(
        scene.home.open().is_err(),
        "the keystore that still had the second key"
    );
    scene.home.put(KEYSTORE, &present);
    scene.reopened().check_erased();
}

#[test]
fn failed_write_gives_no_key_out() {
    let (home, vault) = Home::make();
    with_writes_failing(&home, KEYSTORE, || {
        assert!(matches!(vault.fresh_key(), Err(CipherError::Keystore(_))));
        assert!(vault.keys().is_empty());
    });
    let key = vault.fresh_key().unwrap();
    let sealed = vault.seal(key, &place(), b"x").unwrap();
    drop(vault);
    assert!(home.open().unwrap().open(key, &place(), &sealed).is_ok());
}

/// The limit of the promise, as `docs/formats/keystore.md` states it: whoever kept both files from
/// before, and has the identity, has the key.
#[test]
fn old_root_and_old_keystore_together_still_open() {
    let scene = Scene::set();
    let old_root = scene.home.read(ROOT);
    scene.vault.destroy(&[scene.gone.0]).unwrap();
    scene.home.put(ROOT, &old_root);
    assert!(
        scene.home.open().is_err(),
        "the old root alone opens nothing"
    );
    scene.home.put(KEYSTORE, &scene.old_keystore);
    let (key, sealed) = &scene.gone;
    let revived = scene.home.open().unwrap();
    assert_eq!(&**revived.open(*key, &place(), sealed).unwrap(), b"text");
}

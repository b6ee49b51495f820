use std::io::Write as _;

use super::*;

fn with_file(text: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(home.path().join("config.toml")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = home.path().to_str().unwrap().to_owned();
    (home, path)
}

#[test]
fn each_layer_wins_over_those_below() {
    let (_home, home) = with_file("output = \"csv\"\ntimeout = \"3s\"\ncolor = \"always\"\n");
    let env = Env::of(&[
        ("MANUSHYA_HOME", &home),
        ("MANUSHYA_OUTPUT", "yaml"),
        ("NO_COLOR", "1"),
    ]);
    let flags = Flags {
        output: Some("json".into()),
        ..Flags::default()
    };
    let set = Settings::resolve(flags, &env).unwrap();
    assert_eq!(
        (set.output.value, set.output.origin),
        (Format::Json, Origin::Flag("--output"))
    );
    let set = Settings::resolve(Flags::default(), &env).unwrap();
    assert_eq!(set.output.value, Format::Yaml);
    assert_eq!(set.output.origin, Origin::Env("MANUSHYA_OUTPUT"));
    assert_eq!(set.timeout.value, Duration::from_secs(3));
    assert!(matches!(set.timeout.origin, Origin::File(_)));
    assert_eq!(
        set.color.value,
        Color::Always,
        "the file is explicit, NO_COLOR a habit"
    );
    assert_eq!(set.tenant.origin, Origin::Default);
}

#[test]
fn empty_variables_count_as_absent() {
    let (_home, home) = with_file("");
    let env = Env::of(&[
        ("MANUSHYA_HOME", &home),
        ("MANUSHYA_OUTPUT", ""),
        ("NO_COLOR", ""),
    ]);
    let set = Settings::resolve(Flags::default(), &env).unwrap();
    assert_eq!(set.output.origin, Origin::Default);
    assert_eq!(set.color.value, Color::Auto);
}

#[test]
fn wrong_values_name_their_origin() {
    let (_home, home) = with_file("");
    let check = |pair: (&str, &str), parts: &[&str]| {
        let env = Env::of(&[("MANUSHYA_HOME", &home), pair]);
        let error = Settings::resolve(Flags::default(), &env)
            .unwrap_err()
            .to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    check(
        ("MANUSHYA_OUTPUT", "xml"),
        &["xml", "MANUSHYA_OUTPUT", "jsonl"],
    );
    check(
        ("MANUSHYA_TIMEOUT", "soon"),
        &["soon", "MANUSHYA_TIMEOUT", "10s"],
    );
    check(("MANUSHYA_TIMEOUT", "0s"), &["0s"]);
    check(("MANUSHYA_TIMEOUT", "1h"), &["at most 5m"]);
    check(("MANUSHYA_NO_INPUT", "perhaps"), &["true or false"]);
}

#[test]
fn named_file_must_exist() {
    let env = Env::of(&[
        ("MANUSHYA_HOME", "/nowhere"),
        ("MANUSHYA_CONFIG", "/nowhere/c.toml"),
    ]);
    assert!(Settings::resolve(Flags::default(), &env).is_err());
    let env = Env::of(&[("MANUSHYA_HOME", "/nowhere")]);
    assert!(
        Settings::resolve(Flags::default(), &env)
            .unwrap()
            .file
            .is_none()
    );
}

#[test]
fn home_hides_the_files_of_the_user() {
    let (_other, other) = with_file("output = \"csv\"\n");
    let (_home, home) = with_file("");
    let env = Env::of(&[("MANUSHYA_HOME", &home), ("XDG_CONFIG_HOME", &other)]);
    let set = Settings::resolve(Flags::default(), &env).unwrap();
    assert_eq!(set.output.value, Format::Table);
}

#[test]
fn format_names_have_no_case() {
    assert_eq!(Format::of("JSON"), Some(Format::Json));
    assert_eq!(Format::of("xml"), None);
}

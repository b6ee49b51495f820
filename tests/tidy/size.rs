//! How long files and functions may be.

use crate::source::{Source, is_inline_tests, strip};

/// Lines of a file without its inline tests.
const FILE_LINES_MAX: usize = 600;
/// Lines of inline tests; longer ones go to a file of their own.
const INLINE_TEST_LINES_MAX: usize = 150;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Functions that may be longer, as `path: name`, each with its reason.
const LONG_FUNCTIONS: &[&str] = &[
    // A second interpreter of rules to test the first by: one arm an operator, read side by side.
    "manushyad/core/src/policy/tests/oracle.rs: answer",
];

/// How many lines a file has before its inline tests.
pub fn own_lines(text: &str) -> usize {
    let stripped = strip(text);
    let total = text.lines().count();
    (0..total)
        .find(|number| is_inline_tests(&stripped, *number))
        .unwrap_or(total)
}

/// The functions of a file: name, first line, lines from `fn` to the closing brace.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let stripped = strip(text);
    let lines: Vec<&str> = stripped.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(at) = line.find("fn ") else { continue };
        let before = line[..at].trim();
        let modifiers = [
            "pub", "async", "const", "unsafe", "extern", "\"\"", "default",
        ];
        let is_item = before
            .split_whitespace()
            .all(|word| modifiers.contains(&word) || word.starts_with("pub("));
        if !is_item {
            continue;
        }
        let name: String = line[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let mut depth = 0_i32;
        'body: for (length, line) in lines[start..].iter().enumerate() {
            for c in line.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    // A method of a trait without a body.
                    ';' if depth == 0 && !line.contains('[') => break 'body,
                    _ => continue,
                }
                if depth == 0 {
                    found.push((name, start + 1, length + 1));
                    break 'body;
                }
            }
        }
    }
    found
}

/// Every file and function that is too long.
pub fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = &source.path;
        let own = own_lines(&source.text);
        let tests = source.text.lines().count() - own;
        if own > FILE_LINES_MAX {
            findings.push(format!(
                "{path}: {own} lines; the limit is {FILE_LINES_MAX}"
            ));
        }
        if tests > INLINE_TEST_LINES_MAX {
            findings.push(format!(
                "{path}: {tests} lines of inline tests; above {INLINE_TEST_LINES_MAX} they go to a file"
            ));
        }
        for (name, line, length) in functions(&source.text) {
            let allowed = LONG_FUNCTIONS.contains(&format!("{path}: {name}").as_str());
            if length > FUNCTION_LINES_MAX && !allowed {
                findings.push(format!(
                    "{path}:{line}: fn {name} has {length} lines; the limit is {FUNCTION_LINES_MAX}"
                ));
            }
        }
    }
    findings
}

#[test]
fn long_files_tests_and_functions_are_found() {
    let find = |text: &str| findings(&[Source::of("protocol/src/a.rs", text)]);
    assert_eq!(find(&"// x\n".repeat(601)).len(), 1);
    assert!(find(&"// x\n".repeat(600)).is_empty());
    let tests =
        |lines: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(lines));
    assert_eq!(find(&tests(148)).len(), 1);
    assert!(find(&tests(140)).is_empty());
    let function = |lines: usize| {
        format!(
            "pub async fn f() {{\n{}}}\n",
            "    x(\"}\");\n".repeat(lines)
        )
    };
    assert_eq!(find(&function(69)).len(), 1);
    assert!(find(&function(68)).is_empty());
    let two = format!("{}{}", function(40), function(40));
    assert!(find(&two).is_empty());
}

#[test]
fn functions_are_told_apart() {
    let text = "trait T {\n    fn a(&self) -> [u8; 4];\n    fn b(&self) {\n        x\n    }\n}\nlet f: fn () = g;\n";
    let found = functions(text);
    assert!(found.contains(&("b".to_owned(), 3, 3)), "{found:?}");
}

//! Reading the examples of the help, for tests.

/// The words of the `manushyactl` call in an example, as a shell would hand them over. Enough of
/// a shell for the examples: quotes, and the ends of a call.
pub fn words(line: &str) -> Vec<String> {
    let start = line
        .rfind("manushyactl ")
        .expect("the examples call manushyactl");
    let first = line
        .find("manushyactl ")
        .expect("the examples call manushyactl");
    let start = if line[..start].trim_end().ends_with('|') {
        start
    } else {
        first
    };
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line[start..].chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => words.last_mut().expect("not empty").push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '|' || c == '<' || c == '>' => break,
            None if c == ' ' => words.push(String::new()),
            None => words.last_mut().expect("not empty").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

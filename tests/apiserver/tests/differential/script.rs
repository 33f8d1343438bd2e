//! Reads the script: a request on each line, its body where it is long on indented lines below.

/// One request.
pub struct Step {
    /// Where it is in the script.
    pub line: usize,
    pub text: String,
    /// What later steps call its answer.
    pub label: Option<String>,
    /// Whether the operator's service account sends it.
    pub is_operators: bool,
    pub verb: String,
    pub path: String,
    pub body: String,
}

pub fn read(script: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, text) in script.lines().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        if text.starts_with(' ') {
            let last = steps.last_mut().expect("an indented line goes on with a request");
            last.body.push_str(text.trim());
            continue;
        }
        let mut words = text.trim().splitn(2, char::is_whitespace);
        let mut word = || {
            let word = words.next().unwrap_or_default().to_owned();
            let rest = words.next().unwrap_or_default().trim_start();
            words = rest.splitn(2, char::is_whitespace);
            word
        };
        let mut verb = word();
        let label = verb.strip_prefix('@').map(ToOwned::to_owned);
        if label.is_some() {
            verb = word();
        }
        let is_operators = verb == "operator:";
        if is_operators {
            verb = word();
        }
        let path = word();
        let rest: Vec<_> = words.collect();
        let (line, body) = (number + 1, rest.join(" "));
        steps.push(Step { line, text: text.to_owned(), label, is_operators, verb, path, body });
    }
    steps
}

//! Which other modules a Rust file names, read without a compiler.

/// A file as words: names, `::`, and single characters of punctuation. Comments, texts, characters and
/// lifetimes are left out.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut i = 0;
    while i < text.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i += text[i..].iter().take_while(|&&c| c != '\n').count(),
            ('/', '*') => {
                while i < text.len() && (at(i), at(i + 1)) != ('*', '/') {
                    i += 1;
                }
                i += 2;
            }
            ('r', '"' | '#') if raw_text(&text[i + 1..]).is_some() => {
                i += 1 + raw_text(&text[i + 1..]).unwrap_or(0);
            }
            ('"', _) => {
                i += 1;
                while i < text.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            ('\'', '\\') => {
                i += 3;
                while i < text.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) => i += if at(i + 2) == '\'' { 3 } else { 1 },
            (':', ':') => {
                words.push("::".to_owned());
                i += 2;
            }
            (c, _) if is_word(c) => {
                let word: String = text[i..].iter().take_while(|&&c| is_word(c)).collect();
                i += word.chars().count();
                words.push(word);
            }
            (c, _) => {
                if !c.is_whitespace() {
                    words.push(c.to_string());
                }
                i += 1;
            }
        }
    }
    words
}

/// The length of `"…"` with equally many `#` on both sides, as a raw string has after its `r`, if it
/// starts here.
fn raw_text(text: &[char]) -> Option<usize> {
    let marks = text.iter().take_while(|&&c| c == '#').count();
    if text.get(marks) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.resize(marks + 1, '#');
    let inside = &text[marks + 1..];
    let length = inside.windows(marks + 1).position(|window| window == end)?;
    Some(marks + 1 + length + marks + 1)
}

/// Takes out what is compiled for tests only. Returns the other words, and the names of the modules
/// among what was taken out that have files of their own.
pub(crate) fn without_tests(words: Vec<String>) -> (Vec<String>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut i = 0;
    while i < words.len() {
        if !words[i..].iter().take(MARK.len()).eq(MARK.iter()) {
            kept.push(words[i].clone());
            i += 1;
            continue;
        }
        i += MARK.len();
        // The item that follows ends with `;`, or with the brace that closes its body.
        let mut depth = 0;
        while i < words.len() {
            let word = words[i].as_str();
            if word == "mod" && depth == 0 && words.get(i + 2).is_some_and(|next| next == ";") {
                modules.push(words[i + 1].clone());
            }
            i += 1;
            match word {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (word == "}" || word == ";") {
                break;
            }
        }
    }
    (kept, modules)
}

/// A path that a file names and, if it is the path of a `use`, the name that the file gives to its
/// target.
pub(crate) struct Path {
    pub(crate) parts: Vec<String>,
    pub(crate) name: Option<String>,
}

/// Every path of two parts or more, and every path of a `use`.
pub(crate) fn paths(words: &[String]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut i = 0;
    while i < words.len() {
        if words[i] == "use" && words.get(i + 1).is_some_and(|next| next != "<") {
            i = tree(words, i + 1, &[], &mut paths);
            continue;
        }
        let mut parts = vec![words[i].clone()];
        let starts = i == 0 || words[i - 1] != "::";
        i += 1;
        while words.get(i).is_some_and(|word| word == "::")
            && words.get(i + 1).is_some_and(|next| is_name(next))
        {
            parts.push(words[i + 1].clone());
            i += 2;
        }
        if starts && parts.len() > 1 && is_name(&parts[0]) {
            paths.push(Path { parts, name: None });
        }
    }
    paths
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads a tree of imports from `i` on, and returns the index behind it.
fn tree(words: &[String], mut i: usize, before: &[String], paths: &mut Vec<Path>) -> usize {
    let mut parts = before.to_vec();
    while let Some(word) = words.get(i) {
        match word.as_str() {
            "::" => i += 1,
            "{" => {
                i += 1;
                while words.get(i).is_some_and(|word| word != "}") {
                    i = tree(words, i, &parts, paths);
                    i += usize::from(words.get(i).is_some_and(|word| word == ","));
                }
                return i + 1;
            }
            "as" => {
                paths.push(Path { parts, name: words.get(i + 1).cloned() });
                return i + 2;
            }
            "*" => {
                paths.push(Path { parts, name: None });
                return i + 1;
            }
            name if is_name(name) => {
                parts.push(name.to_owned());
                i += 1;
            }
            _ => break,
        }
    }
    if parts.last().is_some_and(|last| last == "self") {
        parts.pop();
    }
    let name = parts.last().cloned();
    paths.push(Path { parts, name });
    i
}

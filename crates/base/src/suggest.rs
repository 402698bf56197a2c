//! Suggests the nearest known name for a mistyped one.

/// Returns `" (did you mean `x`?)"` with the known name nearest to `given`, or an empty string if none is near.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(given.len()) / 3)
        .min()
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

/// Returns the value in `all` with the given name.
///
/// # Errors
/// A message with the unknown name, the nearest known name and all names.
pub fn named<T>(
    kind: &str,
    name: &str,
    all: impl IntoIterator<Item = (&'static str, T)>,
) -> Result<T, String> {
    let (names, mut all): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    match names.iter().position(|known| *known == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => Err(format!("unknown {kind} `{name}`{}", there_are(name, names))),
    }
}

/// Lists the alternatives to an unknown name `given`: the nearest name, if one is near, and all names:
/// `" (did you mean `x`?); there are: x, y"`.
pub fn there_are<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    format!("{}; there are: {}", did_you_mean(given, known.iter().copied()), known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("tabel1b", ["table1a", "table1b"]), " (did you mean `table1b`?)");
        assert_eq!(did_you_mean("pyramid", ["table1a", "table1b"]), "");
        assert_eq!(there_are("bbc", ["a", "bbb"]), " (did you mean `bbb`?); there are: a, bbb");
    }
}

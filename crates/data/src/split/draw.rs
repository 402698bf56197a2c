//! Names of splits in a generated set of several draws: `1@201` is split 1 of the draw with data seed 201.

/// Returns the name of a split of a draw.
#[must_use]
pub fn of_draw(split: &str, data_seed: u64) -> String {
    format!("{split}@{data_seed}")
}

/// Returns the data seed in the name of a split; `None` if the name has none.
#[must_use]
pub fn draw_of(name: &str) -> Option<u64> {
    name.rsplit_once('@')?.1.parse().ok()
}

/// Returns the name of a split without the draw.
#[must_use]
pub fn plain(name: &str) -> &str {
    match name.rsplit_once('@') {
        Some((split, draw)) if draw.parse::<u64>().is_ok() => split,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_split_and_draw() {
        let name = of_draw("view-2", 201);
        assert_eq!((name.as_str(), plain(&name), draw_of(&name)), ("view-2@201", "view-2", Some(201)));
        for own in ["1", "a@b", "@"] {
            assert_eq!((plain(own), draw_of(own)), (own, None));
        }
    }
}

//! Reads the argument types of kernels from their source, so that a launch with wrong arguments is an error and not a crash.

/// The type of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Address,
    Int,
    Long,
    Float,
    Double,
}

/// Returns the types of a kernel's arguments; `None` if the text defines no kernel of that name, or one with an unknown
/// type.
pub(crate) fn of(source: &str, name: &str) -> Option<Vec<Kind>> {
    let (_, arguments) = definitions(source).find(|(defined, _)| *defined == name)?;
    kinds(source, arguments)
}

/// Lists every kernel of a text with its list of arguments.
fn definitions(source: &str) -> impl Iterator<Item = (&str, &str)> {
    source.split("extern \"C\" __global__ void ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('(')?;
        let (arguments, _) = rest.split_once(')')?;
        Some((name.trim(), arguments))
    })
}

fn kinds(source: &str, arguments: &str) -> Option<Vec<Kind>> {
    let mut found = Vec::new();
    for argument in arguments.split(',').map(str::trim) {
        if argument.contains('*') {
            found.push(Kind::Address);
            continue;
        }
        match argument.split_whitespace().next()? {
            "int" => found.push(Kind::Int),
            "i64" => found.push(Kind::Long),
            "float" => found.push(Kind::Float),
            "double" => found.push(Kind::Double),
            // A list of arguments that several kernels share.
            shared => found.extend(kinds(source, &defined(source, shared)?)?),
        }
    }
    Some(found)
}

/// Returns the definition of `#define NAME`, with continued lines joined.
fn defined(source: &str, name: &str) -> Option<String> {
    let (_, rest) = source.split_once(&format!("#define {name} "))?;
    let mut text = String::new();
    for line in rest.lines() {
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        text.push_str(line.trim());
        text.push(' ');
        if !goes_on {
            break;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [&str; 8] = [
        include_str!("source/elementwise.cu"),
        include_str!("source/convolution.cu"),
        include_str!("source/pool.cu"),
        include_str!("source/batch_norm.cu"),
        include_str!("source/layout.cu"),
        include_str!("source/loss.cu"),
        include_str!("source/bilinear.cu"),
        include_str!("source/flow.cu"),
    ];

    #[test]
    fn arguments_are_read_across_lines_and_lists() {
        let text = "#define SIZES \\\n    int width, \\\n    int height\n\
                    extern \"C\" __global__ void one(const float* x, float* out, i64 count) {}\n\
                    extern \"C\" __global__ void two(\n    u8* x, SIZES, double a,\n    float b) { f(a); }";
        assert_eq!(of(text, "one"), Some(vec![Kind::Address, Kind::Address, Kind::Long]));
        let two = [Kind::Address, Kind::Int, Kind::Int, Kind::Double, Kind::Float];
        assert_eq!(of(text, "two"), Some(two.to_vec()));
        assert_eq!(of(text, "three"), None);
        assert_eq!(of("extern \"C\" __global__ void odd(short x) {}", "odd"), None);
    }

    #[test]
    fn every_kernel_can_be_read_and_has_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for source in SOURCES {
            for (name, _) in definitions(source) {
                assert!(of(source, name).is_some_and(|kinds| !kinds.is_empty()), "{name}");
                assert!(names.insert(name), "{name} is defined twice");
            }
        }
        assert!(names.len() > 50, "{}", names.len());
    }
}

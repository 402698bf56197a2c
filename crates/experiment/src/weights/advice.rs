//! Advice about files that hold the right weights in a form that other programs left them in.

use candle_core::{DType, Tensor};
use nn::tensors::Tensors;

/// Prefixes that wrappers of PyTorch put before every name.
const WRAPPERS: [(&str, &str); 3] = [
    ("module.", "PyTorch's DataParallel"),
    ("_orig_mod.", "torch.compile"),
    ("model.", "a training framework such as Lightning"),
];

/// Says which wrapper has put a prefix before all names, and how to remove it.
pub(super) fn of_names(stored: &Tensors) -> Option<String> {
    let all = |prefix: &str| !stored.is_empty() && stored.keys().all(|name| name.starts_with(prefix));
    let (prefix, wrapper) = WRAPPERS.into_iter().find(|(prefix, _)| all(prefix))?;
    let first = stored.keys().next()?;
    Some(format!(
        "expected names without a prefix, found `{prefix}` before every name, such as `{first}`: it comes from {wrapper}; \
         strip it with {}",
        rewrite(&format!("k.removeprefix('{prefix}'): v"))
    ))
}

/// Says how to convert floats of other sizes than 32 bits. Tensors of integers, such as counts, are no weights. `used` gives the names in the file of those that the network
/// reads.
pub(super) fn of_types<'a>(stored: &Tensors, used: impl Iterator<Item = &'a String>) -> Option<String> {
    let kind = |name: &String| stored.get(name).map(Tensor::dtype);
    let kinds = used.filter_map(|name| Some((name, kind(name)?)));
    let mut odd = kinds.filter(|(_, kind)| kind.is_float() && *kind != DType::F32);
    let (first, found) = odd.next()?;
    let others = odd.count();
    let others = if others > 0 { format!(" and {others} others") } else { String::new() };
    Some(format!(
        "expected 32-bit floats (F32), found {found:?} in `{first}`{others}; convert the file with {}",
        rewrite("k: v.float()")
    ))
}

/// A command that writes a file with other names or types, and what to do with it.
fn rewrite(entry: &str) -> String {
    format!(
        "`python -c \"from safetensors.torch import load_file as l, save_file as s; \
         s({{{entry} for k, v in l('IN.safetensors').items()}}, 'OUT.safetensors')\"`, \
         then pin the new file's SHA-256 in the spec"
    )
}

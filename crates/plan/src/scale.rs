//! Sizes at a profile's scale.

/// `value * factor`, rounded, at least 1.
pub(crate) fn scaled(value: usize, factor: f64, what: &str) -> std::result::Result<usize, String> {
    if !(factor.is_finite() && factor > 0.0) {
        return Err(format!("the profile's factor on {what} is {factor}; it must be above 0"));
    }
    Ok(((value as f64 * factor).round() as usize).max(1))
}

//! What every generated set can do.

use crate::clip::Clip;

/// One draw of a generated set: its knobs and a seed. Videos are numbered class by class; a still picture is a video of
/// one frame.
///
/// # Panics
/// `id`, `render` and `fingerprint` do so if `i` is not below [`Generated::len`], as indexing does.
pub trait Generated {
    /// Names of the classes in the order of their labels.
    fn classes(&self) -> &[String];

    /// Number of videos of each class.
    fn each(&self) -> usize;

    /// Name of video `i`, such as `rise-007`.
    fn id(&self, i: usize) -> String;

    /// Renders video `i`.
    fn render(&self, i: usize) -> Clip;

    /// A hash of all that decides the pixels of video `i`: generator version, knobs, seed, and what the video is keyed by.
    fn fingerprint(&self, i: usize) -> String;

    /// Number of videos of all classes.
    fn len(&self) -> usize {
        self.classes().len() * self.each()
    }

    /// Whether the set has no videos (it always has some).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Label of video `i`, an index into [`Generated::classes`].
    fn label(&self, i: usize) -> usize {
        i / self.each()
    }
}

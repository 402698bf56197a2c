//! The interface of all generated sets.

use crate::clip::Clip;

/// One draw of a generated set: its knobs and a seed. Videos are numbered class by class; a still picture is a video of
/// one frame.
///
/// # Panics
/// `id`, `render` and `fingerprint` panic if `i` is not below [`Generated::len`].
pub trait Generated {
    /// Returns the names of the classes in the order of their labels.
    fn classes(&self) -> &[String];

    /// Returns the number of videos of each class.
    fn each(&self) -> usize;

    /// Returns the name of video `i`, such as `rise-007`.
    fn id(&self, i: usize) -> String;

    /// Renders video `i`.
    fn render(&self, i: usize) -> Clip;

    /// Returns a hash of everything that determines the pixels of video `i`: generator version, knobs, seed and key.
    fn fingerprint(&self, i: usize) -> String;

    /// Returns the number of videos of all classes.
    fn len(&self) -> usize {
        self.classes().len() * self.each()
    }

    /// Returns `true` if the set has no videos (it always has some).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the label of video `i`, an index into [`Generated::classes`].
    fn label(&self, i: usize) -> usize {
        i / self.each()
    }
}

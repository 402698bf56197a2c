//! Every knob of the generated pictures: the table `[stills]` in `datasets/synth-stills.toml`.
//!
//! Units are those of [`crate::config`]; no knob has a default.

use crate::config::HueConfig;
use crate::knob::{Span, SynthError, check, within};
use crate::texture::TextureLook;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[stills]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StillsConfig {
    /// Number of pictures of each class; the `[splits]` of the file divide them.
    pub pictures_per_class: usize,
    /// Width of a picture.
    pub width: usize,
    /// Height of a picture.
    pub height: usize,
    /// The scene, alone or behind an object.
    pub scene: TextureLook,
    /// The object shown in a picture.
    pub object: ObjectConfig,
    /// The classes that only hue distinguishes.
    pub hue: HueConfig,
    /// Small objects that do not depend on the class, in pictures of scenes and of objects.
    pub clutter: ClutterConfig,
    /// Light and noise.
    pub light: ExposureConfig,
}

/// The object shown in a picture, at a random position and with a random rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectConfig {
    /// Radius.
    pub radius: Span,
    /// Difference in grey level between the object and the background's mean.
    pub contrast: Span,
    /// Amplitude of the object's own pattern, grey levels.
    pub pattern: Span,
    /// Strength of the colour if hue is free.
    pub chroma: Span,
}

/// Small objects of any shape and colour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClutterConfig {
    /// Maximum number; each picture draws from 0 to this.
    pub count: usize,
    /// Radius; smaller than that of the objects, so that clutter cannot be taken for the subject.
    pub radius: Span,
}

/// Light and noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExposureConfig {
    /// Factor of the whole picture.
    pub gain: Span,
    /// Standard deviation of the grey noise, grey levels; drawn for each picture.
    pub noise: Span,
}

impl StillsConfig {
    /// Checks constraints that serde cannot check: signs, limits, and that clutter is smaller than objects.
    ///
    /// # Errors
    /// [`SynthError`] names the first knob outside its limits.
    pub fn validate(&self) -> Result<(), SynthError> {
        self.checked().map_err(|error| SynthError { table: "stills", ..error })
    }

    fn checked(&self) -> Result<(), SynthError> {
        let count = self.pictures_per_class;
        check("pictures-per-class", count, (1..=100_000).contains(&count), "1 to 100000")?;
        for (key, side) in [("width", self.width), ("height", self.height)] {
            check(key, side, (32..=1024).contains(&side), "32 to 1024 pixels")?;
        }
        self.scene.validate()?;
        within("object.radius", self.object.radius, 2.0, self.width.min(self.height) as f32 / 4.0)?;
        within("object.contrast", self.object.contrast, 1.0, 100.0)?;
        within("object.pattern", self.object.pattern, 0.0, 60.0)?;
        within("object.chroma", self.object.chroma, 0.0, 128.0)?;
        self.hue.validate()?;
        check("clutter.count", self.clutter.count, self.clutter.count <= 16, "at most 16")?;
        within("clutter.radius", self.clutter.radius, 1.0, self.object.radius.lo)?;
        within("light.gain", self.light.gain, 0.5, 1.5)?;
        within("light.noise", self.light.noise, 0.0, 64.0)
    }
}

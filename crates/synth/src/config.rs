//! Every knob of a generated set of videos: the table `[synth]` in `datasets/synth.toml`.
//!
//! No knob has a default: the file states each value beside the claim that it serves, and only knobs that its classes use.
//! Lengths are in pixels, times in frames (the field between two frames counts as one), angles in degrees, grey levels from
//! 0 to 255. A pair `[lo, hi]` is a range from which every video draws uniformly.

mod motion;

use crate::class::Class;
use crate::knob::{Span, SynthError, check, fraction, within};
use crate::texture::TextureLook;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use motion::{MotionConfig, OrderConfig};

/// The `[synth]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SynthConfig {
    /// Number of videos of each class; the `[splits]` of the file divide them. Serves the width of every interval.
    pub videos_per_class: usize,
    /// Width of a frame. Affects the time of a row.
    pub width: usize,
    /// Height of a frame.
    pub height: usize,
    /// Number of frames T in a video; must leave room for the order classes (see [`OrderConfig`]), if there are any.
    pub frames: usize,
    /// The moving camera. Serves "mean subtraction helps" (Table 1b).
    pub camera: CameraConfig,
    /// The background. Serves the spatial rows (Table 1a) and keeps them below 100 %.
    pub scene: SceneConfig,
    /// The actor's appearance. Serves the spatial rows; limbs serve flow's spatial accuracy.
    pub actor: ActorConfig,
    /// Other objects. Keep both streams below 100 %.
    pub distractors: DistractorConfig,
    /// Light and sensor. Make flow differ from the true motion.
    pub light: LightConfig,
    /// Motions of the pairs that need several fields. Serves "L = 10 > L = 5 > L = 1" (Table 1b).
    pub motion: MotionConfig,
    /// The two-phase classes. Serves the networks that see several snippets (ST-ResNet, pyramid).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderConfig>,
    /// The classes that only colour distinguishes. Serves "two streams beat one" (Table 3).
    pub hue: HueConfig,
}

/// The camera's path: it pans, shakes and follows the actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CameraConfig {
    /// Peak speed of each of the two sinusoids of the horizontal pan. Serves the gap between mean
    /// subtraction on and off, which grows with it: the most sensitive knob.
    pub pan: Span,
    /// Vertical pan as a fraction of the horizontal one.
    pub pan_vertical: f32,
    /// Period of the pan's sinusoids.
    pub pan_period: Span,
    /// Standard deviation of the jump from frame to frame; unlike the pan it cannot be predicted from
    /// neighbouring fields. Serves the same gap.
    pub shake: Span,
    /// Share of the actor's path that the camera follows. Keeps the actor in the frame, so that its
    /// position reveals little; raised for a video whose actor would otherwise leave the frame.
    pub follow: Span,
}

/// The background's texture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SceneConfig {
    /// Probability that the scene is the class pair's own family; otherwise it is any family. Serves the
    /// spatial rows: above chance, below 100 %.
    pub follows_class: f32,
    /// Mean grey level.
    pub luma: Span,
    /// Amplitude of the texture about its mean, grey levels. Gives flow structure to match.
    pub contrast: Span,
    /// Size of the texture's features.
    pub feature: Span,
    /// Strength of the colour.
    pub chroma: Span,
}

impl SceneConfig {
    pub(super) fn look(&self) -> TextureLook {
        let Self { luma, contrast, feature, chroma, .. } = *self;
        TextureLook { luma, contrast, feature, chroma }
    }
}

/// The actor: a patterned body with two limbs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ActorConfig {
    /// Radius of the body. Small rotated shapes are slow to learn: serves the spatial rows.
    pub radius: Span,
    /// Length of a limb.
    pub limb_length: Span,
    /// Width of a limb; flow can just resolve it.
    pub limb_width: Span,
    /// Difference in grey level between the body and the background's mean. Graded: flow is weak at
    /// the lower end. Forces the use of shape and texture rather than colour.
    pub contrast: Span,
    /// Amplitude of the body's own pattern, grey levels; makes rotation visible.
    pub pattern: Span,
    /// Strength of the colour (for all classes except those of [`HueConfig`]; their hue is free).
    pub chroma: Span,
    /// Largest tilt to either side, for actors that do not rotate.
    pub tilt: f32,
}

/// Objects that are not the actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DistractorConfig {
    /// Maximum number; each video draws from 0 to this. Clutter for both streams.
    pub count: usize,
    /// Radius.
    pub radius: Span,
    /// Probability of drifting steadily.
    pub drifts: f32,
    /// Standard deviation of the drift on each axis. Clutter for flow.
    pub drift: f32,
    /// Probability of turning steadily.
    pub turns: f32,
    /// Turning rate, degrees per frame.
    pub turn: Span,
}

/// Light and noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LightConfig {
    /// Standard deviation of the grey noise, which is new in each frame; drawn for each video.
    /// Serves graded difficulty: flow is estimated from these frames.
    pub noise: Span,
    /// Largest change of brightness over a video, as a fraction. Slightly violates flow's brightness constancy.
    pub fade: f32,
}

/// The pairs named `-warm` and `-cool`: same actor, scene and motion; only hue differs, which flow
/// of grey-level frames cannot see. Luma has the same distribution in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HueConfig {
    /// Largest angle between the hue and warm (orange) or cool (azure); above 90 the classes overlap.
    pub spread: f32,
    /// Strength of the colour; graded difficulty.
    pub chroma: Span,
}

impl SynthConfig {
    /// Checks constraints that serde cannot check: signs, probabilities, and sizes that must fit into the frame or the video.
    pub fn validate(&self) -> Result<(), SynthError> {
        let whole = |key, value: usize, ok, expected: &str| check(key, value, ok, expected);
        let count = self.videos_per_class;
        whole("videos-per-class", count, (1..=100_000).contains(&count), "1 to 100000")?;
        let side_ok = |side: usize| (32..=1024).contains(&side);
        whole("width", self.width, side_ok(self.width), "32 to 1024 pixels")?;
        whole("height", self.height, side_ok(self.height), "32 to 1024 pixels")?;
        whole("frames", self.frames, (2..=10_000).contains(&self.frames), "2 to 10000")?;
        self.order.as_ref().map_or(Ok(()), |order| order.validate(self.frames))?;
        self.camera.validate()?;
        self.scene.validate()?;
        self.actor.validate(self.width.min(self.height))?;
        self.distractors.validate()?;
        within("light.noise", self.light.noise, 0.0, 64.0)?;
        fraction("light.fade", self.light.fade)?;
        self.motion.validate()?;
        self.hue.validate()
    }
}

impl SynthConfig {
    /// Checks that the knobs of motions are those that `classes` use.
    pub(super) fn fits(&self, classes: &[Class]) -> Result<(), SynthError> {
        self.motion.fits(classes)?;
        let (found, expected) = match (classes.iter().find(|class| class.motion.ordered()), &self.order) {
            (Some(class), None) => ("nothing", format!("a table, since class `{}` uses it", class.name)),
            (None, Some(_)) => ("a table", "nothing, since no class of this set uses it".to_owned()),
            _ => return Ok(()),
        };
        Err(SynthError { table: "synth", key: "order", found: found.to_owned(), expected })
    }
}

impl HueConfig {
    pub(super) fn validate(&self) -> Result<(), SynthError> {
        check("hue.spread", self.spread, (0.0..=180.0).contains(&self.spread), "0 to 180 degrees")?;
        within("hue.chroma", self.chroma, 0.0, 128.0)
    }
}

impl CameraConfig {
    fn validate(&self) -> Result<(), SynthError> {
        within("camera.pan", self.pan, 0.0, 8.0)?;
        fraction("camera.pan-vertical", self.pan_vertical)?;
        within("camera.pan-period", self.pan_period, 4.0, 1000.0)?;
        within("camera.shake", self.shake, 0.0, 4.0)?;
        within("camera.follow", self.follow, 0.0, 1.0)
    }
}

impl SceneConfig {
    fn validate(&self) -> Result<(), SynthError> {
        fraction("scene.follows-class", self.follows_class)?;
        self.look().validate()
    }
}

impl ActorConfig {
    fn validate(&self, side: usize) -> Result<(), SynthError> {
        within("actor.radius", self.radius, 2.0, side as f32 / 4.0)?;
        within("actor.limb-length", self.limb_length, 1.0, side as f32 / 4.0)?;
        within("actor.limb-width", self.limb_width, 1.0, side as f32 / 8.0)?;
        within("actor.contrast", self.contrast, 1.0, 100.0)?;
        within("actor.pattern", self.pattern, 0.0, 60.0)?;
        within("actor.chroma", self.chroma, 0.0, 128.0)?;
        check("actor.tilt", self.tilt, (0.0..=180.0).contains(&self.tilt), "0 to 180 degrees")
    }
}

impl DistractorConfig {
    fn validate(&self) -> Result<(), SynthError> {
        check("distractors.count", self.count, self.count <= 16, "at most 16")?;
        within("distractors.radius", self.radius, 1.0, 64.0)?;
        fraction("distractors.drifts", self.drifts)?;
        check("distractors.drift", self.drift, (0.0..=8.0).contains(&self.drift), "0 to 8 pixels per frame")?;
        fraction("distractors.turns", self.turns)?;
        within("distractors.turn", self.turn, 0.0, 45.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{config, config_text};

    #[test]
    fn the_shipped_table_is_valid() {
        assert_eq!(config().validate(), Ok(()));
    }

    #[test]
    fn a_misspelt_key_and_a_reversed_range_are_refused() {
        let text = config_text().replace("shake =", "shaek =");
        let error = toml::from_str::<SynthConfig>(&text).unwrap_err().to_string();
        assert!(error.contains("shaek") && error.contains("shake"), "{error}");
        let text = config_text().replace("sway-slow-period = [", "sway-slow-period = [900, ");
        assert!(toml::from_str::<SynthConfig>(&text).is_err());
        let mut reversed = config();
        reversed.camera.follow = Span { lo: 0.5, hi: 0.25 };
        assert_eq!(reversed.validate().unwrap_err().key, "camera.follow");
    }

    #[test]
    fn each_check_names_its_key() {
        type Break = fn(&mut SynthConfig);
        let cases: [(&str, Break); 9] = [
            ("videos-per-class", |c| c.videos_per_class = 0),
            ("width", |c| c.width = 8),
            ("frames", |c| c.frames = 40),
            ("camera.follow", |c| c.camera.follow.hi = 1.5),
            ("actor.radius", |c| c.actor.radius.hi = 40.0),
            ("light.noise", |c| c.light.noise.lo = -1.0),
            ("motion.bounce-rebound", |c| c.motion.bounce_rebound = Some(Span { lo: 0.0, hi: 0.1 })),
            ("order.burst-max", |c| c.order.as_mut().unwrap().burst_max = 1),
            ("hue.spread", |c| c.hue.spread = f32::NAN),
        ];
        for (key, spoil) in cases {
            let mut broken = config();
            spoil(&mut broken);
            let error = broken.validate().unwrap_err();
            assert_eq!(error.key, key);
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }
}

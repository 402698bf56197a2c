//! The knobs of the set of events seen by several cameras: the table `[views]` in `datasets/synth-views.toml`.

use crate::knob::{Span, SynthError, check, within};
use crate::texture::TextureLook;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum number of takes of an actor and action.
pub(super) const MOST_TAKES: usize = 1000;

/// The `[views]` table. Lengths are pixels or metres as stated, angles degrees, times frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ViewsConfig {
    /// Number of actors, each of whom does every action. Clothes therefore identify the actor and never the action: a network
    /// that pairs events by clothes fails on the same actor's other actions.
    pub actors: usize,
    /// Number of times that an actor does each action; each time is an event, with one video per camera.
    pub takes: usize,
    /// Width of a frame, pixels.
    pub width: usize,
    /// Height of a frame, pixels.
    pub height: usize,
    /// Number of frames in a video.
    pub frames: usize,
    /// The cameras, at least two. Serves the cross-view protocol: one is held out.
    pub camera: Vec<CameraPlace>,
    /// Settings common to all cameras.
    pub lens: LensConfig,
    /// Position and appearance of the actor.
    pub actor: ActorPlaceConfig,
    /// Execution of the actions. Grades the difficulty.
    pub action: ActionConfig,
    /// The wall behind the actor, with a separate texture family for each camera. Depends on the view, but
    /// not on the class.
    pub scene: TextureLook,
    /// Lamps and sensor.
    pub light: RoomLightConfig,
}

/// Name and position of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CameraPlace {
    /// The view's name.
    pub name: String,
    /// Angle about the vertical, degrees: 0 is in front of the actor's face, 90 at the actor's left.
    pub azimuth: f32,
    /// Angle above the horizontal, degrees; below 90.
    pub elevation: f32,
}

/// Distance and scale of all cameras.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LensConfig {
    /// Metres from the camera to the middle of the scene. Nearer cameras distort more.
    pub distance: f32,
    /// Pixels per metre in the middle of the scene.
    pub scale: f32,
}

/// The actor's place, size and clothes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ActorPlaceConfig {
    /// Largest rotation from azimuth 0, degrees to either side. At 180 all cameras would see the same, and
    /// the views would not differ.
    pub heading: f32,
    /// Largest step away from the middle on each axis of the floor, metres.
    pub step: f32,
    /// Height in metres.
    pub height: Span,
    /// Thickness of the limbs relative to a slim person's.
    pub girth: Span,
    /// Difference in grey levels between clothes and the middle of the scene's `luma`, darker or lighter.
    pub contrast: Span,
    /// Strength of the clothes' colours.
    pub chroma: Span,
}

/// Execution of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ActionConfig {
    /// Frames from one key pose to the other and back.
    pub period: Span,
    /// Extent of the motion from standing to the key poses; 1 reaches them.
    pub depth: Span,
    /// Standard deviation of each joint's angle about the key pose, degrees; drawn for each event.
    pub sloppiness: f32,
}

/// The lamp of each view, and noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RoomLightConfig {
    /// Factor of the whole picture, drawn for each camera.
    pub gain: Span,
    /// Strength of each camera's own tint, grey levels.
    pub tint: f32,
    /// Share of the light that reaches the side away from the lamp.
    pub ambient: f32,
    /// Standard deviation of the grey noise, grey levels; drawn for each video.
    pub noise: Span,
}

impl ViewsConfig {
    /// Checks limits that serde cannot check.
    ///
    /// # Errors
    /// [`SynthError`] names the first knob outside its limits.
    pub fn validate(&self) -> Result<(), SynthError> {
        self.checked().map_err(|error| SynthError { table: "views", ..error })
    }

    fn checked(&self) -> Result<(), SynthError> {
        let (actors, takes) = (self.actors, self.takes);
        check("actors", actors, (1..=1000).contains(&actors), "1 to 1000")?;
        check("takes", takes, (1..=MOST_TAKES).contains(&takes), "1 to 1000")?;
        for (key, side) in [("width", self.width), ("height", self.height)] {
            check(key, side, (32..=1024).contains(&side), "32 to 1024 pixels")?;
        }
        check("frames", self.frames, (2..=10_000).contains(&self.frames), "2 to 10000")?;
        self.cameras()?;
        let LensConfig { distance, scale } = self.lens;
        check("lens.distance", distance, (2.0..=100.0).contains(&distance), "2 to 100 metres")?;
        check("lens.scale", scale, (4.0..=1024.0).contains(&scale), "4 to 1024 pixels per metre")?;
        let ActorPlaceConfig { heading, step, height, girth, contrast, chroma } = self.actor;
        check("actor.heading", heading, (0.0..=180.0).contains(&heading), "0 to 180 degrees")?;
        check("actor.step", step, (0.0..=1.0).contains(&step), "0 to 1 metre")?;
        within("actor.height", height, 1.0, 2.5)?;
        within("actor.girth", girth, 0.5, 3.0)?;
        within("actor.contrast", contrast, 1.0, 100.0)?;
        within("actor.chroma", chroma, 0.0, 128.0)?;
        within("action.period", self.action.period, 2.0, 10_000.0)?;
        within("action.depth", self.action.depth, 0.05, 1.0)?;
        let sloppiness = self.action.sloppiness;
        check("action.sloppiness", sloppiness, (0.0..=60.0).contains(&sloppiness), "0 to 60 degrees")?;
        self.scene.validate()?;
        within("light.gain", self.light.gain, 0.5, 1.5)?;
        let RoomLightConfig { tint, ambient, .. } = self.light;
        check("light.tint", tint, (0.0..=60.0).contains(&tint), "0 to 60 grey levels")?;
        check("light.ambient", ambient, (0.0..=1.0).contains(&ambient), "0 to 1")?;
        within("light.noise", self.light.noise, 0.0, 64.0)
    }

    fn cameras(&self) -> Result<(), SynthError> {
        let names: Vec<&str> = self.camera.iter().map(|camera| camera.name.as_str()).collect();
        check("camera", names.len(), (2..=8).contains(&names.len()), "2 to 8 cameras")?;
        for (index, camera) in self.camera.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let good = !camera.name.is_empty() && camera.name.chars().all(plain);
            let known = names[..index].contains(&names[index]);
            let expected = "unique names of lower-case letters, digits and `-`";
            check("camera.name", format!("\"{}\"", camera.name), good && !known, expected)?;
            let (azimuth, elevation) = (camera.azimuth, camera.elevation);
            check("camera.azimuth", azimuth, (-360.0..=360.0).contains(&azimuth), "-360 to 360 degrees")?;
            check("camera.elevation", elevation, (-10.0..=85.0).contains(&elevation), "-10 to 85 degrees")?;
        }
        Ok(())
    }
}

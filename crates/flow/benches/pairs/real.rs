//! The real pairs with a true flow, from the folder of real clips.

use std::path::{Path, PathBuf};

use flow::{GrayImage, read_flo};

use crate::Named;

/// Folder, both pictures and the true flow of each pair. Baker et al. 2011, then Dosovitskiy et al. 2015.
const PAIRS: [[&str; 4]; 6] = [
    ["RubberWhale", "rubberwhale1.png", "rubberwhale2.png", "flow_gt.flo"],
    ["Dimetrodon", "frame10.png", "frame11.png", "flow10.flo"],
    ["Grove2", "frame10.png", "frame11.png", "flow10.flo"],
    ["Hydrangea", "frame10.png", "frame11.png", "flow10.flo"],
    ["FlyingChairs1", "img0.png", "img1.png", "flow_gt.flo"],
    ["FlyingChairs4", "img0.png", "img1.png", "flow_gt.flo"],
];

/// Loads the pairs, in whole intensities as OpenCV needs them; those that are missing are named.
pub(crate) fn pairs() -> Vec<Named> {
    let root = std::env::var_os("VAR_REAL_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/real")),
        PathBuf::from,
    );
    PAIRS.iter().filter_map(|pair| load(&root.join("flow_gt"), pair)).collect()
}

fn load(root: &Path, [name, from, to, truth]: &[&str; 4]) -> Option<Named> {
    let folder = root.join(name);
    if !folder.is_dir() {
        eprintln!("skipping {name}: {} is missing; set VAR_REAL_DATA", folder.display());
        return None;
    }
    let picture = |file: &str| {
        let rgb = image::open(folder.join(file)).expect("a picture of the pair").to_rgb8();
        let (width, height) = (rgb.width() as usize, rgb.height() as usize);
        let mut grey = GrayImage::from_rgb8(width, height, rgb.as_raw()).expect("sizes agree");
        grey.data.iter_mut().for_each(|value| *value = value.round());
        grey
    };
    let truth = read_flo(folder.join(truth)).expect("the true field");
    Some(Named { name: (*name).to_owned(), from: picture(from), to: picture(to), truth })
}

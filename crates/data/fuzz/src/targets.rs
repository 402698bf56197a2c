//! Fuzz targets: every reader of bytes from outside must withstand any bytes at all.
//!
//! A target must neither panic nor take unbounded memory or time; input that it accepts must be consistent.
//! The fuzz programs and a test of the crate share this file. Seeds are made by the writers' code.

use data::codec::Codec;
use data::container::{Builder, Container, Facts, Kind};
use data::dataset::{Dataset, DatasetSpec, FolderFacts, KineticsSpec, SpecBody};
use data::extracted::{Convention, Layout, decode_colour, decode_grey};
use data::source::{FieldWindow, FrameWindow, Window};
use data::split::{ListFile, SplitLists, parse_hmdb51, parse_ucf101};
use flow::{FlowField, encode_flo, parse_flo};
use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Name of a target, the target, its seeds.
pub(crate) type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Every target.
pub(crate) fn all() -> [Target; 6] {
    [
        ("split_lists", split_lists, split_lists_seeds),
        ("own_lists", own_lists, own_lists_seeds),
        ("own_folder", own_folder, own_folder_seeds),
        ("flo", flo, flo_seeds),
        ("container", container, container_seeds),
        ("extracted", extracted, extracted_seeds),
    ]
}

/// Parts of an input, split at each zero byte, which no text has.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == 0)
}

/// UCF-101: classes, then training and test lists. HMDB-51: three lists a split.
pub(crate) fn split_lists(bytes: &[u8]) {
    let files: Vec<ListFile> = parts(bytes)
        .take(7)
        .map(|bytes| ListFile { path: PathBuf::from("list.txt"), bytes: bytes.to_vec() })
        .collect();
    let folder = Path::new("lists");
    if let Some((classes, rest)) = files.split_first() {
        let pairs: Vec<[ListFile; 2]> =
            rest.as_chunks::<2>().0.iter().map(|[train, test]| [train.clone(), test.clone()]).collect();
        consistent(parse_ucf101(folder, classes, &pairs));
    }
    let classes = ["climb", "climb_stairs", "wave"].map(str::to_owned).to_vec();
    let lists: Vec<Vec<ListFile>> = files.chunks_exact(3).map(<[ListFile]>::to_vec).collect();
    consistent(parse_hmdb51(folder, classes, &lists));
}

/// Accepted lists name every clip once, below the root, and no clip in two parts of a split.
fn consistent(lists: Result<SplitLists, data::DataError>) {
    let lists = match lists {
        Ok(lists) => lists,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(lists.clips.windows(2).all(|pair| pair[0].id < pair[1].id));
    for clip in &lists.clips {
        assert!(clip.label < lists.classes.len() && clip.file.is_relative());
        assert!(clip.file.components().all(|part| matches!(part, std::path::Component::Normal(_))));
    }
    for split in &lists.splits {
        let mut all = [&split.train[..], &split.test[..]].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.last().is_none_or(|&last| last < lists.clips.len()));
    }
}

fn split_lists_seeds() -> Vec<Vec<u8>> {
    let ucf = [
        "1 Run\r\n2 HandstandPushups\r\n",
        "Run/v_Run_g08_c01.avi 1\r\nHandstandPushups/v_HandStandPushups_g08_c01.avi 2\r\n",
        "Run/v_Run_g01_c01.avi\r\n",
        "Run/v_Run_g01_c01.avi 1\r\n",
        "HandstandPushups/v_HandStandPushups_g08_c01.avi\r\n",
    ];
    let hmdb = [
        "#1_(a)[b]!&c;~@+_climb_f.avi 1 \n",
        "b_climb_stairs_u.avi 2 \n",
        "c_wave_f.avi 0 \nd_wave.avi 1 \n",
    ];
    vec![
        ucf.join("\0").into_bytes(),
        hmdb.join("\0").into_bytes(),
        [hmdb, hmdb].concat().join("\0").into_bytes(),
    ]
}

/// A user's own lists: of paths and labels, in each of their forms, and those of Kinetics.
pub(crate) fn own_lists(bytes: &[u8]) {
    let files = |name: &str| -> Vec<ListFile> {
        parts(bytes)
            .take(2)
            .map(|bytes| ListFile { path: PathBuf::from(name), bytes: bytes.to_vec() })
            .collect()
    };
    let at = Path::new("mine.toml");
    for keys in [
        "videos = \"all\"\n[split]\ntest-share = 0.4",
        "columns = [\"path\", \"label\", \"group\"]\nvideos = \"all\"\n[split]\nfolds = 2",
        "lists = [{ train = \"a\", test = \"b\" }]",
    ] {
        let spec = DatasetSpec::parse(at, &format!("kind = \"list\"\ntitle = \"t\"\n{keys}\n"));
        let SpecBody::List(spec) = spec.expect("a whole file").body else { panic!("a list is a list") };
        for name in ["all.txt", "all.csv"] {
            let mut files = files(name);
            files.truncate(if spec.videos.is_some() { 1 } else { 2 });
            consistent(spec.parse(at, &files, None));
        }
    }
    if let [train, test] = &files("kinetics.csv")[..] {
        consistent(KineticsSpec::parse(at, [train, test]));
    }
}

fn own_lists_seeds() -> Vec<Vec<u8>> {
    let plain = ["run/a b.avi 0\nwalk/b 1\nwalk/c.mp4 1\n", "run/c.avi 0\n"];
    let tabs = ["run/a.avi\trun fast\tg1\nwalk/b.avi\twalk\tg2\n", "\"x, y\".avi,run\npath,label\n"];
    let header = "label,youtube_id,time_start,time_end,split\n";
    let kinetics =
        [format!("{header}run,-abc_,1,11,train\n"), format!("{header}run,\"x\"\"y\",2.5,12,val\n")];
    vec![plain.join("\0").into_bytes(), tabs.join("\0").into_bytes(), kinetics.join("\0").into_bytes()]
}

/// A folder whose entries have any names: each part of the input names a file, `/` begins a folder.
pub(crate) fn own_folder(bytes: &[u8]) {
    let place = tempfile::tempdir().expect("a temporary folder");
    for name in parts(bytes).take(8) {
        let name = String::from_utf8_lossy(name);
        let inside = name.split('/').take(8).filter(|part| !part.is_empty() && *part != "." && *part != "..");
        let file = place.path().join(inside.collect::<PathBuf>());
        if let Some(folder) = file.parent().filter(|folder| folder.starts_with(place.path())) {
            // Some names are too long, and some are both a file and a folder.
            let _made = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, b"video"));
        }
    }
    let facts = FolderFacts::of(place.path()).expect("a folder that can be read");
    let spec = DatasetSpec::of_folder(place.path()).expect("a folder");
    match Dataset::describe(&spec) {
        Ok(about) => assert!(about.videos == facts.videos() && about.classes.len() == facts.classes.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn own_folder_seeds() -> Vec<Vec<u8>> {
    [
        "run/a.avi\0run/b.mp4\0walk/a.avi\0walk/deep/b.webm",
        "train/run/a.avi\0test/run/b.avi",
        "v/img_00001.jpg\0x.avi",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Accepted input is encoded again to the same bytes.
pub(crate) fn flo(bytes: &[u8]) {
    if let Ok(field) = parse_flo(bytes) {
        assert_eq!(field.u.len(), field.width * field.height);
        let again = encode_flo(&field).expect("a field that was read can be written");
        assert!(again == bytes, "a field of {}x{} came out otherwise", field.width, field.height);
    }
}

fn field(width: usize, height: usize) -> FlowField {
    let values = |k: f32| (0..width * height).map(|i| (i as f32 * k).sin() * 3.0).collect();
    FlowField::new(width, height, values(0.3), values(0.7)).expect("a whole field")
}

fn flo_seeds() -> Vec<Vec<u8>> {
    [(1, 1), (5, 3), (16, 9)].map(|(w, h)| encode_flo(&field(w, h)).expect("a whole field")).to_vec()
}

/// A whole cache file: unchanged, and with all its checksums corrected, so that the code behind them is reached too.
pub(crate) fn container(bytes: &[u8]) {
    read_container(bytes);
    if let Some(mended) = mend(bytes) {
        read_container(&mended);
    }
}

fn read_container(bytes: &[u8]) {
    thread_local! {
        static FILE: RefCell<tempfile::NamedTempFile> = RefCell::new(temporary());
    }
    FILE.with_borrow_mut(|file| {
        file.as_file_mut().set_len(0).expect("a temporary file");
        std::io::Seek::rewind(file.as_file_mut()).expect("a temporary file");
        file.write_all(bytes).expect("a temporary file");
        let verified = Container::open_verified(file.path()).is_ok();
        let Ok(container) = Container::open(file.path()) else { return assert!(!verified) };
        assert_eq!(container.file_bytes(), bytes.len() as u64);
        let header = container.header();
        let (x, y) = (header.width / 3, header.height / 2);
        let window = Window { x, y, width: header.width - x, height: header.height - y };
        let (mut frame_part, mut field_part) = (FrameWindow::default(), FieldWindow::default());
        for index in (0..header.count.min(4)).chain([header.count, usize::MAX]) {
            if header.kind == Kind::Frames {
                if let Ok(frame) = container.frame(index) {
                    assert_eq!(frame.len(), header.width * header.height * 3);
                }
                if container.frame_window(index, window, &mut frame_part).is_ok() {
                    assert_eq!(frame_part.frame.rgb.len(), window.width * window.height * 3);
                }
            } else {
                if let Ok(field) = container.field(index) {
                    assert_eq!(field.u.len(), header.width * header.height);
                }
                if container.field_window(index, window, &mut field_part).is_ok() {
                    assert_eq!(field_part.u.len(), window.width * window.height);
                }
            }
        }
    });
}

fn temporary() -> tempfile::NamedTempFile {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    tempfile::NamedTempFile::new_in(folder).expect("a temporary file")
}

/// Corrects the checksums of a file; `None` if it has no usable index. The layout is that of `container.rs`.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    const RECORD: usize = 56;
    const FACTS: usize = RECORD - 16;
    let mut bytes = bytes.to_vec();
    let length = u32::from_le_bytes(*bytes.get(12..)?.first_chunk()?) as usize;
    let index = 16usize.checked_add(length)?;
    let header: serde_json::Value = serde_json::from_slice(bytes.get(16..index)?).ok()?;
    let count = usize::try_from(header.get("count")?.as_u64()?).ok()?;
    let end = index.checked_add(count.checked_mul(RECORD)?)?;
    let payload = end.checked_add(32)?;
    if payload > bytes.len() {
        return None;
    }
    let key = header.get("key")?.as_str()?.to_owned();
    for number in 0..count {
        let at = index + number * RECORD;
        let offset = u64::from_le_bytes(*bytes[at..].first_chunk()?);
        let length = u32::from_le_bytes(*bytes[at + 8..].first_chunk()?) as usize;
        let start = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(payload));
        let entry = start.and_then(|start| Some(start..start.checked_add(length)?));
        let Some(entry) = entry.and_then(|range| bytes.get(range)) else { continue };
        let mut hasher = blake3::Hasher::new();
        hasher.update(key.as_bytes());
        hasher.update(&(number as u64).to_le_bytes());
        hasher.update(&bytes[at..at + FACTS]);
        hasher.update(entry);
        let checksum = *hasher.finalize().as_bytes();
        bytes[at + FACTS..at + RECORD].copy_from_slice(&checksum[..16]);
    }
    let checksum = blake3::hash(&bytes[..end]);
    bytes[end..payload].copy_from_slice(checksum.as_bytes());
    Some(bytes)
}

fn container_seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.var");
    let mut seeds = Vec::new();
    let jpeg = Codec::Jpeg { quality: 80 };
    let files = [
        (Codec::Raw8, Kind::Frames),
        (Codec::Raw8, Kind::ForwardFlow),
        (jpeg, Kind::Frames),
        (jpeg, Kind::ForwardFlow),
        (Codec::Float32, Kind::ForwardFlow),
    ];
    for (codec, kind) in files {
        // Wide enough for several segments of a JPEG.
        let (width, height) = if codec == jpeg { (150, 20) } else { (9, 7) };
        let mut builder = Builder::new(kind, codec, "00ff".to_owned(), &std::env::temp_dir());
        for _ in 0..2 {
            match kind {
                Kind::Frames => builder.push_frame(width, height, &vec![90; width * height * 3]),
                _ => builder.push_field(&field(width, height)),
            }
            .expect("a whole entry");
        }
        builder.set_facts(Facts { repeated: Some(1), ..Facts::default() });
        let cut = [0..2, 2..3];
        builder.write(&path, "a seed".to_owned(), cut.to_vec(), (1, 1)).expect("a written file");
        let seed = std::fs::read(&path).expect("a written file");
        assert_eq!(mend(&seed).as_ref(), Some(&seed), "`mend` knows the layout of container.rs");
        seeds.push(seed);
    }
    seeds
}

/// Names of a folder's files, one per line; after a zero byte one picture, read as colour and as grey.
pub(crate) fn extracted(bytes: &[u8]) {
    let at = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let names: Vec<String> =
        bytes[..at].split(|&b| b == b'\n').map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    match Layout::of(&names) {
        Ok(layout) => {
            // One frame has no field either.
            let alone = layout.convention == Convention::FramesAlone;
            assert_eq!(layout.flow.len(), if alone { 0 } else { layout.images.len() - 1 });
            let used = layout.images.iter().chain(layout.flow.iter().flatten());
            assert!(used.clone().all(|name| names.contains(name)));
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
    let picture = bytes.get(at + 1..).unwrap_or_default();
    // A small file can ask for many pixels; here they only cost time.
    if pixels(picture).is_none_or(|pixels| pixels > 1 << 18) {
        return;
    }
    for (channels, decoded) in
        [(3, decode_colour("x", picture.to_vec())), (1, decode_grey("x", picture.to_vec()))]
    {
        if let Ok(decoded) = decoded {
            assert_eq!(decoded.pixels.len(), decoded.width * decoded.height * channels);
        }
    }
}

/// The largest picture that any frame header of a JPEG file announces; 0 if there is none.
fn pixels(jpeg: &[u8]) -> Option<usize> {
    let header = |w: &[u8]| {
        (w[0] == 0xff && (0xc0..=0xcf).contains(&w[1]))
            .then(|| usize::from(w[5]) * 256 + usize::from(w[6]))
            .map(|height| height * (usize::from(w[7]) * 256 + usize::from(w[8])))
    };
    Some(jpeg.windows(9).filter_map(header).max().unwrap_or(0))
}

fn extracted_seeds() -> Vec<Vec<u8>> {
    let jpeg = |colour: image::ExtendedColorType, bytes: usize| {
        let mut out = Vec::new();
        let data: Vec<u8> = (0..16 * 12 * bytes).map(|i| (i * 5) as u8).collect();
        let encoded =
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 70).encode(&data, 16, 12, colour);
        encoded.expect("a picture");
        out
    };
    let names = |flow: [&str; 2], flows: usize| {
        let images = (1..=3).map(|n| format!("img_{n:05}.jpg"));
        let flow = (1..=flows).flat_map(|n| flow.map(|prefix| format!("{prefix}{n:05}.jpg")));
        images.chain(flow).collect::<Vec<_>>().join("\n").into_bytes()
    };
    let (colour, grey) = (jpeg(image::ExtendedColorType::Rgb8, 3), jpeg(image::ExtendedColorType::L8, 1));
    vec![
        [names(["flow_x_", "flow_y_"], 3), vec![0], colour].concat(),
        [names(["x_", "y_"], 2), vec![0], grey].concat(),
    ]
}

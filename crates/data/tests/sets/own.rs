//! A user's own videos: every case of the table "Layouts, lists and names" in `docs/data.md`, which states the outcomes.

use crate::common::{put, workspace};
use data::dataset::{Dataset, DatasetSpec, OpenOptions, Role, SourceHashes};
use data::split::{read_hmdb51, read_ucf101};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A folder with a data-set file `mine.toml` and videos, each of which holds its own name.
struct Place(TempDir);

impl Place {
    fn new(spec: &str, videos: &[&str]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.file("mine.toml", spec);
        fs::create_dir_all(place.path().join("root")).unwrap();
        for video in videos {
            place.file(&format!("root/{video}"), video);
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        put(&self.path().join(name), content);
        self
    }

    /// The outcome of opening the set, as the documentation words it.
    fn outcome(&self) -> String {
        let spec = match DatasetSpec::load(&self.path().join("mine.toml")) {
            Ok(spec) => spec,
            Err(error) => return format!("refused: {error}"),
        };
        // Plans are made without the videos: what they say must be what is found.
        let about = match Dataset::describe(&spec) {
            Ok(about) => about,
            Err(error) => return format!("refused: {error}"),
        };
        let root = spec.root().is_none().then(|| self.path().join("root"));
        match Dataset::open_with(&spec, &OpenOptions { root, ..OpenOptions::default() }) {
            Ok(set) => {
                assert_eq!((about.videos, &about.classes), (set.videos.len(), &set.classes));
                assert_eq!(about.cautions, set.cautions);
                words(&set)
            }
            Err(error) => format!("refused: {error}"),
        }
    }
}

/// Videos, classes and the sizes of the splits; then the first video's id.
fn words(set: &Dataset) -> String {
    let splits: Vec<String> =
        set.splits.iter().map(|split| format!("{} + {}", split.train.len(), split.test.len())).collect();
    let cautions: String = set.cautions.iter().map(|caution| format!("; caution: {caution}")).collect();
    format!(
        "accepted: {} videos, classes {}, {}; {}{cautions}",
        set.videos.len(),
        set.classes.join(" "),
        splits.join(", "),
        set.videos[0].id,
    )
}

fn folder(split: &str) -> String {
    format!("kind = \"folder\"\ntitle = \"t\"\nroot = \"root\"\n{split}")
}

const HALF: &str = "[split]\ntest-share = 0.5\n";
const FOUR: [&str; 4] = ["run/a.avi", "run/b.mp4", "walk/a.MKV", "walk/deep/er/b.webm"];

fn listed(keys: &str, list: &str, videos: &[&str]) -> Place {
    let place =
        Place::new(&format!("kind = \"list\"\ntitle = \"t\"\nvideos = \"all.txt\"\n{keys}{HALF}"), videos);
    place.file("all.txt", list);
    place
}

fn kinetics(keys: &str, train: &str, test: &str, videos: &[&str]) -> String {
    let spec =
        format!("kind = \"kinetics\"\ntitle = \"t\"\ntrain = \"train.csv\"\ntest = \"val.csv\"\n{keys}");
    Place::new(&spec, videos).file("train.csv", train).file("val.csv", test).outcome()
}

const HEADER: &str = "label,youtube_id,time_start,time_end,split,is_cc\n";

/// Two classes and `test` as first test list, in the layout of UCF-101.
fn ucf(classes: &[u8], test: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("classInd.txt"), classes);
    put(&folder.path().join("trainlist01.txt"), "run/v_run_g01_c01.avi 1\nwalk/v_walk_g01_c01.avi 2\n");
    put(&folder.path().join("testlist01.txt"), test);
    match read_ucf101(folder.path(), 1) {
        Ok(lists) => format!("accepted: {} + {}", lists.splits[0].train.len(), lists.splits[0].test.len()),
        Err(error) => format!("refused: {error}"),
    }
}

const GRID: &str = "kind = \"video-folders\"\ntitle = \"t\"\nclips = 4\nclasses = [\"run\", \"walk\"]\n\
                    groups = [\"a\", \"b\"]\nclip-name = \"{group}_{class}\"\nextensions = [\"avi\"]\n\
                    [[split]]\nname = \"1\"\ntest = [\"b\"]\n";

/// The videos of [`GRID`] in some form.
fn grid(form: impl Fn(&str, &str) -> String) -> String {
    let names: Vec<String> =
        ["run", "walk"].iter().flat_map(|class| ["a", "b"].map(|group| form(class, group))).collect();
    Place::new(GRID, &names.iter().map(String::as_str).collect::<Vec<_>>()).outcome()
}

/// Every case of the documentation.
fn cases() -> BTreeMap<&'static str, String> {
    let mut cases: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut case =
        |name: &'static str, outcome: String| assert!(cases.insert(name, outcome).is_none(), "{name}");

    case(
        "classes as folders, any ending, up to six folders deep",
        Place::new(&folder(HALF), &FOUR).outcome(),
    );
    case("`train/CLASS` and `test/CLASS`", {
        let split = "[split]\ntrain-folders = [\"train\"]\ntest-folders = [\"val\"]\n";
        let videos =
            ["train/run/a.avi", "train/walk/a.avi", "val/run/b.avi", "val/walk/b.avi", "other/run/c.avi"];
        Place::new(&folder(split), &videos).outcome()
    });
    case("folds of groups that a pattern finds", {
        let videos = [
            "run/g1_a.avi",
            "run/g2_a.avi",
            "run/g3_a.avi",
            "walk/g1_a.avi",
            "walk/g2_a.avi",
            "walk/g3_a.avi",
        ];
        Place::new(&folder("group = '^(g[0-9])_'\n[split]\nfolds = 3\n"), &videos).outcome()
    });
    case("a pattern that fails in a name", {
        Place::new(&folder("group = '^(g[0-9])_'\n[split]\nfolds = 2\n"), &["run/g1_a.avi", "run/x.avi"])
            .outcome()
    });
    case("two files that differ in their ending alone", {
        Place::new(&folder(HALF), &["run/a.avi", "run/a.mp4", "walk/b.avi", "walk/c.avi"]).outcome()
    });
    case("a dot that makes no ending", {
        Place::new(&folder(HALF), &["run/take_0.1.avi", "run/take_0.2.avi", "walk/b.avi", "walk/c.avi"])
            .outcome()
    });
    case("hidden files and folders, files of other kinds", {
        let videos =
            [&FOUR[..], &["run/._a.avi", ".Trash-0/x/y.avi", "run/notes.txt", "run/Thumbs.db"]].concat();
        Place::new(&folder(HALF), &videos).outcome()
    });
    case("a folder without videos", Place::new(&folder(HALF), &["run/a.txt"]).outcome());
    case("videos without folders of classes", Place::new(&folder(HALF), &["a.avi", "b.avi"]).outcome());
    case("a root that is no folder", {
        Place::new(&folder(HALF).replace("\"root\"", "\"nowhere\""), &FOUR).outcome()
    });
    case("a single class", Place::new(&folder(HALF), &["run/a.avi", "run/b.avi"]).outcome());
    case(
        "a class without test videos",
        Place::new(&folder(HALF), &[&FOUR[..], &["jump/a.avi"]].concat()).outcome(),
    );
    case("a group in training and in test", {
        let spec = "kind = \"list\"\ntitle = \"t\"\ncolumns = [\"path\", \"label\", \"group\"]\n\
                    lists = [{ train = \"train.txt\", test = \"test.txt\" }]\n";
        let place = Place::new(spec, &["run/a.avi", "run/b.avi", "walk/a.avi", "walk/b.avi"]);
        place.file("train.txt", "run/a.avi run ann\nwalk/a.avi walk bob\n");
        place.file("test.txt", "run/b.avi run ann\nwalk/b.avi walk eve\n").outcome()
    });

    let all = "run/a.avi 0\nrun/b.mp4 0\nwalk/a.MKV 1\nwalk/deep/er/b.webm 1\n";
    case("a list `PATH LABEL` with numbers", listed("", all, &FOUR).outcome());
    case(
        "numbers with the names of the classes",
        listed("classes = [\"jog\", \"go\"]\n", all, &FOUR).outcome(),
    );
    case("numbers from 1", {
        listed("", &all.replace(" 1\n", " 2\n").replace(" 0\n", " 1\n"), &FOUR).outcome()
    });
    case("names, blanks in paths, no ending, line ends of Windows", {
        let list = "run/my clip run\r\nrun/b run\r\nwalk/a walk\r\nwalk/b walk\r\n";
        listed("", list, &["run/my clip.avi", "run/b.mp4", "walk/a.avi", "walk/b.avi"]).outcome()
    });
    case("tabs and a column of groups", {
        let keys = "columns = [\"path\", \"label\", \"group\"]\n";
        let list = "run/a.avi\trun fast\tann\nrun/b.mp4\trun fast\tann\nwalk/a.MKV\twalk\tbob\nwalk/deep/er/b.webm\twalk\teve\n";
        listed(keys, list, &FOUR).outcome()
    });
    case("comma-separated with quotes and a header", {
        let spec = format!("kind = \"list\"\ntitle = \"t\"\nvideos = \"all.csv\"\n{HALF}");
        let place = Place::new(&spec, &["x, y/a.avi", "run/b.avi", "walk/a.avi", "walk/b.avi"]);
        let list = "path,label\n\"x, y/a.avi\",run\nrun/b.avi,run\nwalk/a.avi,walk\nwalk/b.avi,walk\n";
        place.file("all.csv", list).outcome()
    });
    case("a line with too few columns", listed("", "run/a.avi\n", &FOUR).outcome());
    case("a path that leads out of the root", listed("", "../run/a.avi 0\n", &FOUR).outcome());
    case("a label that is no class", listed("classes = [\"jog\"]\n", all, &FOUR).outcome());
    case("a video listed twice", listed("", &format!("{all}run/a.avi 0\n"), &FOUR).outcome());
    case("a video with two labels", listed("", &format!("{all}run/a.avi 1\n"), &FOUR).outcome());
    case("an empty list", listed("", "\n", &FOUR).outcome());
    case("missing videos, left out on request", {
        let keys = "root = \"root\"\nmissing = \"leave-out\"\n";
        listed(keys, &format!("{all}run/gone.avi 0\n"), &FOUR).outcome()
    });
    case("missing videos", listed("", &format!("{all}run/gone.avi 0\n"), &FOUR).outcome());

    let train = format!("{HEADER}run,aaa,1,11,train,0\nwalk,\"b,b\",2,12,train,0\n");
    let test = format!("{HEADER}run,ccc,3,13,validate,0\nwalk,ddd,4,14,validate,0\n");
    case("Kinetics: seconds in the name or not, in any folder", {
        let videos =
            ["x/aaa_000001_000011.mp4", "b,b.mkv", "val/run/ccc_000003_000013.mp4", "ddd_000004_000014.webm"];
        kinetics("", &train, &test, &videos)
    });
    case("Kinetics: videos that are no longer online", {
        let keys = "root = \"root\"\nmissing = \"leave-out\"\n";
        kinetics(keys, &train, &test, &["aaa.mp4", "b,b.mp4", "ccc.mp4"])
    });
    case("Kinetics: the test list, which has no labels", {
        kinetics("", &train, "youtube_id,time_start,time_end,split\nccc,3,13,test\n", &[])
    });

    let classes = b"1 run\n2 walk\n";
    let bom = [b"\xef\xbb\xbf".as_slice(), classes].concat();
    case(
        "a byte order mark in a list",
        ucf(&bom, "\u{feff}run/v_run_g02_c01.avi\nwalk/v_walk_g02_c01.avi\n"),
    );
    case(
        "labels in a test list of UCF-101",
        ucf(classes, "run/v_run_g02_c01.avi 1\nwalk/v_walk_g02_c01.avi 2\n"),
    );
    case("a wrong label in a test list of UCF-101", ucf(classes, "run/v_run_g02_c01.avi 2\n"));

    case("accents as one character or two", {
        let spec = GRID.replace("run", "caf\u{e9}");
        let videos = [
            "cafe\u{301}/a_cafe\u{301}.avi",
            "caf\u{e9}/b_caf\u{e9}.avi",
            "walk/a_walk.avi",
            "walk/b_walk.avi",
        ];
        // Both forms name different folders on Linux; one of each is what a copy between systems leaves.
        Place::new(&spec, &videos).outcome()
    });
    case(
        "videos in a folder below the root",
        grid(|class, group| format!("videos/{class}/{group}_{class}.avi")),
    );
    case("videos with other endings", grid(|class, group| format!("{class}/{group}_{class}.mkv")));
    case("videos without the folders of their classes", grid(|_, group| format!("{group}_run.avi")));
    case("other videos", grid(|class, group| format!("{class}/{group}.avi")));
    case("no videos at all", Place::new(GRID, &["notes/readme.txt"]).outcome());
    case("a root that is the folder of a class", {
        let place =
            Place::new(GRID, &["run/a_run.avi", "run/b_run.avi", "walk/a_walk.avi", "walk/b_walk.avi"]);
        let spec = DatasetSpec::load(&place.path().join("mine.toml")).unwrap();
        let root = Some(place.path().join("root/run"));
        let error = Dataset::open_with(&spec, &OpenOptions { root, ..OpenOptions::default() }).unwrap_err();
        format!("refused: {error}")
    });
    cases
}

#[test]
fn layouts_lists_and_names_come_out_as_the_documentation_says() {
    let text = fs::read_to_string(workspace().join("docs/data.md")).unwrap();
    let (_, table) = text.split_once("### Layouts, lists and names").unwrap();
    let table = table.split("\n#").next().unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let stated: BTreeMap<String, String> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| case"))
        .map(|line| (cells(line)[0].clone(), cells(line)[1].clone()))
        .collect();
    let found = cases();
    // A row quotes the outcome in parts, with `...` between them.
    let quotes = |stated: &str, outcome: &str| {
        let mut rest = outcome;
        stated.split(" ... ").all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    };
    let mut wrong = Vec::new();
    for (name, outcome) in &found {
        let stated = stated.get(*name).map_or("no row", String::as_str);
        if !quotes(stated, outcome) {
            wrong.push(format!("{name}\n  expected: {stated}\n  found:    {outcome}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stated.len(), found.len(), "every row has its case");
}

#[test]
fn ten_splits_and_more_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (ucf, hmdb) = (folder.path().join("ucf"), folder.path().join("hmdb"));
    put(&ucf.join("classInd.txt"), "1 run\n");
    let videos: Vec<String> = (1..=25).map(|n| format!("v_run_g{n:02}_c01.avi")).collect();
    for number in 1..=25 {
        let test = |index: usize| index + 1 == number;
        let of = |tested: bool, ending: &str| -> String {
            let part = videos.iter().enumerate().filter(|(index, _)| test(*index) == tested);
            part.map(|(_, video)| format!("run/{video}{ending}\n")).collect()
        };
        put(&ucf.join(format!("trainlist{number:02}.txt")), of(false, " 1"));
        put(&ucf.join(format!("testlist{number:02}.txt")), of(true, ""));
        let flags = |(index, video): (usize, &String)| format!("{video} {}\n", 1 + usize::from(test(index)));
        let list: String = videos.iter().enumerate().map(flags).collect();
        put(&hmdb.join(format!("run_test_split{number}.txt")), list);
    }
    for lists in [read_ucf101(&ucf, 25).unwrap(), read_hmdb51(&hmdb, 25).unwrap()] {
        let names: Vec<String> = lists.splits.iter().map(|split| split.name.clone()).collect();
        assert_eq!(names, (1..=25).map(|n| n.to_string()).collect::<Vec<_>>());
        for (index, split) in lists.splits.iter().enumerate() {
            assert_eq!((split.train.len(), split.test.as_slice()), (24, &[index][..]));
        }
    }
    // And a data-set file with as many splits opens.
    let splits: String =
        (1..=25).map(|n| format!("[[split]]\nname = \"{n}\"\ntrain = 24\ntest = 1\n")).collect();
    let spec = format!(
        "kind = \"split-files\"\ntitle = \"t\"\nlayout = \"ucf101\"\nlists = \"ucf\"\nclasses = 1\nclips = 25\n\
         extensions = [\"avi\"]\n{splits}"
    );
    put(&folder.path().join("mine.toml"), spec);
    let spec = DatasetSpec::load(&folder.path().join("mine.toml")).unwrap();
    assert_eq!(Dataset::describe(&spec).unwrap().splits.len(), 25);
}

#[test]
fn the_official_lists_need_no_caution() {
    for name in ["ucf101", "hmdb51", "weizmann", "weizmann-loao"] {
        let spec = DatasetSpec::load(&workspace().join(format!("datasets/{name}.toml"))).unwrap();
        let about = Dataset::describe(&spec).unwrap();
        assert_eq!(about.cautions, [], "{name}");
    }
}

#[test]
fn test_videos_with_the_content_of_training_videos_are_announced() {
    let place = Place::new(&folder("[split]\ntrain-folders = [\"train\"]\ntest-folders = [\"test\"]\n"), &[]);
    for (video, content) in [
        ("train/run/a.avi", "1"),
        ("train/walk/a.avi", "2"),
        ("test/run/b.avi", "2"),
        ("test/walk/b.avi", "3"),
    ] {
        place.file(&format!("root/{video}"), content);
    }
    let set = Dataset::open(&place.path().join("mine.toml"), None, None).unwrap();
    assert_eq!(set.cautions, []);
    let copies = set.copies(&SourceHashes::open(&place.path().join("cache"))).unwrap();
    let copies: Vec<String> = copies.iter().map(ToString::to_string).collect();
    assert_eq!(
        copies,
        ["split 1: 1 test video with the content of a training video: test/run/b = train/walk/a"]
    );
}

#[test]
fn a_folder_without_a_file_is_described_by_what_it_holds() {
    let place = Place::new("", &["train/run/a.avi", "train/walk/a.avi", "test/run/b.avi", "test/walk/b.avi"]);
    let spec = DatasetSpec::of_folder(&place.path().join("root")).unwrap();
    assert_eq!(spec.name, "root");
    let set = Dataset::open_with(&spec, &OpenOptions::default()).unwrap();
    assert_eq!(words(&set), "accepted: 4 videos, classes run walk, 2 + 2; test/run/b");
    assert_eq!(set.parts(0)[0].role, Role::Test);
    let error =
        Dataset::open_with(&spec, &OpenOptions { root: Some("/tmp".into()), ..OpenOptions::default() });
    assert!(error.unwrap_err().to_string().contains("names its own folder"));
    let plain = Place::new("", &FOUR);
    let spec = DatasetSpec::of_folder(&plain.path().join("root")).unwrap();
    let set = Dataset::open_with(&spec, &OpenOptions::default()).unwrap();
    assert_eq!(words(&set), "accepted: 4 videos, classes run walk, 2 + 2; run/a");
}

#[test]
fn a_link_to_a_folder_above_ends_the_search() {
    let place = Place::new(&folder(HALF), &FOUR);
    for name in ["up", "run/up", "walk/up"] {
        std::os::unix::fs::symlink(place.path().join("root"), place.path().join("root").join(name)).unwrap();
    }
    assert_eq!(place.outcome(), "accepted: 4 videos, classes run walk, 2 + 2; run/a");
}

/// Environment variable that names the folder of [`opens_what_the_environment_names`].
const PLACE: &str = "VAR_TEST_OWN_PLACE";

#[test]
#[ignore = "run by a_folder_that_cannot_be_read_matters_only_where_a_listed_video_is_missing, without the rights of root"]
fn opens_what_the_environment_names() {
    let place = std::env::var_os(PLACE).expect("the test that starts this process names its folder");
    let set = Dataset::open(&Path::new(&place).join("mine.toml"), None, None);
    put(
        &Path::new(&place).join("out/outcome.txt"),
        set.map_or_else(|error| format!("refused: {error}"), |set| words(&set)),
    );
}

#[test]
fn a_folder_that_cannot_be_read_matters_only_where_a_listed_video_is_missing() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let list = "run/a.avi 0\nrun/b.mp4 0\nwalk/a.MKV 1\nwalk/deep/er/b.webm 1\n";
    let place = listed("root = \"root\"\n", list, &FOUR);
    place.file("root/lost+found/x.avi", "x");
    // Root may read everything, so another user looks: this program once more, from where that user may start it.
    let program = place.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::create_dir_all(place.path().join("out")).unwrap();
    let allow = |name: &str, mode| {
        fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow("", 0o755);
    allow("out", 0o777);
    allow("tests", 0o755);
    let is_root = fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    let outcome = |closed: &str| {
        allow(closed, 0o000);
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", "own::opens_what_the_environment_names"])
            .env(PLACE, place.path());
        if is_root {
            command.uid(65534);
        }
        let output = command.output().unwrap();
        allow(closed, 0o755);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        fs::read_to_string(place.path().join("out/outcome.txt")).unwrap()
    };
    assert_eq!(outcome("root/lost+found"), "accepted: 4 videos, classes 0 1, 2 + 2; run/a");
    let refused = outcome("root/walk");
    assert!(
        refused.contains("missing: walk/a.MKV") && refused.contains("1 folder could not be read"),
        "{refused}"
    );
    assert!(refused.contains("Permission denied"), "{refused}");
}

/// The outcome of a folder with these keys.
fn folder_with(keys: &str, videos: &[&str]) -> String {
    Place::new(&folder(&format!("{keys}{HALF}")), videos).outcome()
}

#[test]
fn nothing_is_lost_or_taken_for_another_video() {
    let says = |outcome: String, text: &str| assert!(outcome.contains(text), "{outcome}\nexpected: {text}");
    // A folder reached by two paths holds its videos at both.
    let place = Place::new(&folder(HALF), &["all/a.avi", "all/b.avi"]);
    std::os::unix::fs::symlink(place.path().join("root/all"), place.path().join("root/same")).unwrap();
    says(place.outcome(), "accepted: 4 videos, classes all same");
    // One id for two files.
    let same = ["run/a.avi", "run/a.mkv", "run/a.avi.mp4", "walk/b.avi", "walk/c.avi"];
    says(folder_with("", &same), "`run/a.avi` names two files");
    // Classes that are listed wrongly.
    says(folder_with("classes = [\"run\", \"wlak\"]\n", &FOUR), "(did you mean `walk`?)");
    says(folder_with("classes = [\"run\", \"run\"]\n", &FOUR), "`run` is empty or listed twice");
    // A split without a part.
    let groups = "group = '^(.)'\n[split]\ntest-groups = [\"a\", \"b\"]\n";
    says(
        Place::new(&folder(groups), &FOUR).outcome(),
        "split 1: expected training and test videos, found 0 and 4",
    );
    // A list that leaves the ending out, where two files have that name.
    let two = ["run/a.avi", "run/a.mp4", "walk/b.avi", "walk/c.avi"];
    says(
        listed("", "run/a 0\nwalk/b 1\nwalk/c 1\n", &two).outcome(),
        "it names several files, run/a.avi and run/a.mp4",
    );
    // Another ending than listed.
    let list = "run/a.avi 0\nrun/b.avi 0\nwalk/a.mkv 1\nwalk/b.mkv 1\n";
    let other = ["run/a.avi", "run/b.avi", "walk/a.avi", "walk/b.mkv"];
    says(listed("", list, &other).outcome(), "accepted: 4 videos");
    // Two clips of one film, and the film.
    let train = format!("{HEADER}run,aaa,1,11,train,0\nwalk,aaa,21,31,train,0\n");
    let test = format!("{HEADER}run,ccc,3,13,val,0\nwalk,ddd,3,13,val,0\n");
    says(
        kinetics("", &train, &test, &["aaa.mp4", "ccc.mp4", "ddd.mp4"]),
        "`aaa` could be any of 2 listed clips",
    );
    // Headers, in whatever order, and blanks between columns.
    let keys = "columns = [\"label\", \"path\"]\n";
    let spec = format!("kind = \"list\"\ntitle = \"t\"\n{keys}videos = \"all.csv\"\n{HALF}");
    let place = Place::new(&spec, &FOUR);
    place.file("all.csv", "label,path\n0,run/a.avi\n0,run/b.mp4\n1,walk/a.MKV\n1,walk/deep/er/b.webm\n");
    says(place.outcome(), "accepted: 4 videos, classes 0 1");
    let keys = "columns = [\"path\", \"label\", \"group\"]\n";
    let list = "run/a.avi  0  ann\nrun/b.mp4 0   bob\nwalk/a.MKV 1 ann\nwalk/deep/er/b.webm 1 bob\n";
    says(listed(keys, list, &FOUR).outcome(), "accepted: 4 videos, classes 0 1, 2 + 2");
    // The sizes of the splits follow from the file's own folder alone.
    let keys = "root = \"root\"\nmissing = \"leave-out\"\n";
    let place = listed(keys, "run/a.avi 0\nrun/b.mp4 0\nwalk/a.MKV 1\nwalk/deep/er/b.webm 1\n", &FOUR);
    let spec = DatasetSpec::load(&place.path().join("mine.toml")).unwrap();
    let error =
        Dataset::open_with(&spec, &OpenOptions { root: Some("/tmp".into()), ..OpenOptions::default() });
    assert!(error.unwrap_err().to_string().contains("names its own folder"));
}

#[test]
fn names_that_are_no_text_are_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new(&folder(HALF), &FOUR);
    for name in [b"run/a\xe9.avi", b"run/a\xe8.avi"] {
        fs::write(place.path().join("root").join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    assert!(place.outcome().contains("expected a name in UTF-8"), "{}", place.outcome());
}

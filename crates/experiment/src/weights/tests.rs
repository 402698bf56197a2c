//! Tests of downloads from a local server, and of refusals.

mod filling;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use self::server::{Behaviour, COMMIT, Seen, Server};
use super::{Hub, NameMap, WeightSource};
use crate::{Console, Error, Interrupt, Result};

/// A file whose length is not a multiple of any block size.
fn content() -> Vec<u8> {
    (0..1_000_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The source of [`content`].
fn source() -> WeightSource {
    WeightSource {
        repository: "someone/small.net_v1".into(),
        revision: "main".into(),
        file: "sub/model.safetensors".into(),
        sha256: super::place::hex(Sha256::new_with_prefix(content())),
        names: NameMap::Native,
    }
}

fn serve(behaviour: Behaviour) -> Server {
    Server::new(Behaviour { content: content(), ..behaviour })
}

fn fetch(url: &str, source: &WeightSource, cache: &TempDir) -> Result<PathBuf> {
    Hub::at(url)?.fetch(source, cache.path(), &Console::silent(), &Interrupt::never())
}

/// An address without a server.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Returns the folder of the repository's files, named by their checksums.
fn blobs(cache: &TempDir) -> PathBuf {
    cache.path().join("weights/models--someone--small.net_v1/blobs")
}

fn blob(cache: &TempDir) -> PathBuf {
    blobs(cache).join(source().sha256)
}

fn part(cache: &TempDir) -> PathBuf {
    blob(cache).with_extension("part")
}

/// Writes bytes to the path of a file of the cache.
fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Checks that an error's message contains all of the words, and returns it.
fn message(result: Result<PathBuf>, words: &[&str]) -> String {
    let message = result.unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    message
}

fn sent(server: &Server) -> usize {
    server.seen().iter().map(|seen| seen.sent).sum()
}

/// Lists all files and links below a folder, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.insert(name);
        }
    }
    found
}

#[test]
fn a_file_is_downloaded_once_and_then_needs_no_network() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour::default());
    let path = fetch(&server.url, &source(), &cache).unwrap();
    assert_eq!(path, blob(&cache));
    assert_eq!(fs::read(&path).unwrap(), content());
    let asked = Seen {
        path: "/someone/small.net_v1/resolve/main/sub/model.safetensors".into(),
        range: None,
        sent: content().len(),
    };
    assert_eq!(server.seen(), std::slice::from_ref(&asked));
    assert_eq!(fetch(&server.url, &source(), &cache).unwrap(), path);
    assert_eq!(server.seen(), [asked]);
    drop(server);
    assert_eq!(fetch(&nobody(), &source(), &cache).unwrap(), path);
}

#[cfg(unix)]
#[test]
fn the_cache_is_laid_out_as_the_hubs_own() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour::default());
    fetch(&server.url, &source(), &cache).unwrap();
    let hub = hf_hub::Cache::new(cache.path().join("weights"));
    let theirs = hub.repo(super::place::repository(&source())).get(&source().file).unwrap();
    assert!(theirs.ends_with(format!("snapshots/{COMMIT}/sub/model.safetensors")), "{}", theirs.display());
    assert_eq!(fs::read(theirs).unwrap(), content());
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_was() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour { break_after: Some(600_000), ..Behaviour::default() });
    message(
        fetch(&server.url, &source(), &cache),
        &[
            "`sub/model.safetensors`",
            "`someone/small.net_v1`",
            "from the 600000 bytes",
            "Run the same command again",
        ],
    );
    assert!(!blob(&cache).exists());
    fetch(&server.url, &source(), &cache).unwrap();
    assert_eq!(fs::read(blob(&cache)).unwrap(), content());
    let ranges: Vec<_> = server.seen().into_iter().map(|seen| seen.range).collect();
    assert_eq!(ranges, [None, Some("bytes=600000-".into())]);
    assert_eq!(sent(&server), content().len(), "no byte is sent twice");
    assert!(!part(&cache).exists());
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_again() {
    let cache = tempfile::tempdir().unwrap();
    let behaviour = Behaviour { break_after: Some(600_000), no_ranges: true, ..Behaviour::default() };
    let server = serve(behaviour);
    fetch(&server.url, &source(), &cache).unwrap_err();
    fetch(&server.url, &source(), &cache).unwrap();
    assert_eq!(fs::read(blob(&cache)).unwrap(), content());
}

#[test]
fn a_partial_file_that_is_wrong_is_thrown_away() {
    for wrong in [vec![7; 1000], vec![7; content().len()], vec![7; content().len() + 1]] {
        let cache = tempfile::tempdir().unwrap();
        let server = serve(Behaviour::default());
        put(&part(&cache), &wrong);
        fetch(&server.url, &source(), &cache).unwrap();
        assert_eq!(fs::read(blob(&cache)).unwrap(), content());
        assert_eq!(server.seen().len(), 2, "{} bytes", wrong.len());
    }
}

#[test]
fn a_whole_partial_file_only_needs_its_name() {
    let cache = tempfile::tempdir().unwrap();
    put(&part(&cache), &content());
    fetch(&nobody(), &source(), &cache).unwrap();
    assert_eq!(fs::read(blob(&cache)).unwrap(), content());
}

#[test]
fn a_length_that_is_not_announced_is_no_obstacle() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour { chunked: true, break_after: Some(300_000), ..Behaviour::default() });
    message(fetch(&server.url, &source(), &cache), &["300000 bytes"]);
    fetch(&server.url, &source(), &cache).unwrap();
    assert_eq!(sent(&server), content().len());
}

#[test]
fn another_file_than_was_pinned_is_refused_and_removed() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour::default());
    let other = WeightSource { sha256: "00ff".repeat(16), ..source() };
    let error = fetch(&server.url, &other, &cache);
    message(
        error,
        &[
            "`sub/model.safetensors`",
            "`someone/small.net_v1`",
            &other.sha256,
            &source().sha256,
            "removed",
            "pin",
        ],
    );
    let left = files(&blobs(&cache));
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [format!("{}.lock", other.sha256)]);
}

#[test]
fn what_the_hub_does_not_have_is_named_with_the_place_for_it() {
    for status in [401, 403, 404] {
        let cache = tempfile::tempdir().unwrap();
        let server = serve(Behaviour { status: Some(status), ..Behaviour::default() });
        let error = fetch(&server.url, &source(), &cache).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        message(
            Err(error),
            &[
                "`sub/model.safetensors`",
                "`someone/small.net_v1`",
                "`main`",
                &status.to_string(),
                &server.url,
                &blob(&cache).display().to_string(),
            ],
        );
    }
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour { status: Some(503), ..Behaviour::default() });
    message(fetch(&server.url, &source(), &cache), &["status 503", "Run the same command again"]);
}

#[test]
fn without_network_a_file_can_be_put_in_place_by_hand() {
    let cache = tempfile::tempdir().unwrap();
    let place = blob(&cache);
    let place = place.display().to_string();
    let names = ["`sub/model.safetensors`", "`someone/small.net_v1`", &place];
    message(fetch(&nobody(), &source(), &cache), &names);

    put(&blob(&cache), b"another file");
    let error = message(fetch(&nobody(), &source(), &cache), &names);
    assert!(error.contains("SHA-256") && error.contains("Replace"), "{error}");
    assert_eq!(fs::read(blob(&cache)).unwrap(), b"another file");

    put(&blob(&cache), &content());
    fetch(&nobody(), &source(), &cache).unwrap();
}

#[test]
fn a_damaged_file_is_downloaded_anew() {
    let cache = tempfile::tempdir().unwrap();
    put(&blob(&cache), &content()[1..]);
    let server = serve(Behaviour::default());
    fetch(&server.url, &source(), &cache).unwrap();
    assert_eq!(fs::read(blob(&cache)).unwrap(), content());
}

#[test]
fn redirects_are_followed_to_web_servers_only() {
    let cache = tempfile::tempdir().unwrap();
    let store = serve(Behaviour { break_after: Some(600_000), ..Behaviour::default() });
    let hub =
        serve(Behaviour { redirect_to: Some(format!("{}/cdn?of=", store.url)), ..Behaviour::default() });
    fetch(&hub.url, &source(), &cache).unwrap_err();
    fetch(&hub.url, &source(), &cache).unwrap();
    assert_eq!(fs::read(blob(&cache)).unwrap(), content());
    assert_eq!((sent(&hub), sent(&store)), (0, content().len()));
    drop(store);

    for (to, word) in
        [("file:///etc", "file:///etc"), ("//elsewhere", "//elsewhere"), ("/again", "more than 5")]
    {
        let cache = tempfile::tempdir().unwrap();
        let hub = serve(Behaviour { redirect_to: Some(to.into()), ..Behaviour::default() });
        message(fetch(&hub.url, &source(), &cache), &[word]);
    }
}

#[test]
fn an_interrupt_stops_a_download_which_later_goes_on() {
    let cache = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::never();
    let big: Vec<u8> = content().repeat(8);
    let source = WeightSource { sha256: super::place::hex(Sha256::new_with_prefix(&big)), ..source() };
    let server =
        Server::new(Behaviour { content: big.clone(), raises: interrupt.clone(), ..Behaviour::default() });
    let hub = Hub::at(&server.url).unwrap();
    let stopped = hub.fetch(&source, cache.path(), &Console::silent(), &interrupt);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    interrupt.flag().store(false, Ordering::SeqCst);
    let path = hub.fetch(&source, cache.path(), &Console::silent(), &Interrupt::never()).unwrap();
    assert_eq!(fs::read(path).unwrap(), big);
}

#[test]
fn of_several_processes_one_downloads() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fetch(&server.url, &source(), &cache).unwrap());
        }
    });
    assert_eq!(sent(&server), content().len());
}

#[test]
fn a_server_can_neither_fill_the_disk_nor_choose_paths() {
    let cache = tempfile::tempdir().unwrap();
    let server = serve(Behaviour { announced: Some(u64::MAX), ..Behaviour::default() });
    message(fetch(&server.url, &source(), &cache), &["expected at most"]);

    let server = serve(Behaviour { commit: Some("../../../../escaped"), ..Behaviour::default() });
    fetch(&server.url, &source(), &cache).unwrap();
    let sum = source().sha256;
    let below = |name: &str| format!("weights/models--someone--small.net_v1/blobs/{name}");
    let expected = BTreeSet::from([below(&sum), below(&format!("{sum}.lock"))]);
    assert_eq!(files(cache.path()), expected);
}

#[test]
fn what_is_no_name_on_the_hub_is_refused_before_anything_else() {
    type Spoil = fn(&mut WeightSource);
    let bad: [(&str, Spoil); 12] = [
        ("repository", |s| s.repository = "../x".into()),
        ("repository", |s| s.repository = "a/b/c".into()),
        ("repository", |s| s.repository = "a--b".into()),
        ("repository", |s| s.repository = String::new()),
        ("revision", |s| s.revision = "refs/../../x".into()),
        ("revision", |s| s.revision = "main?x=y".into()),
        ("file", |s| s.file = "../../model.safetensors".into()),
        ("file", |s| s.file = "/etc/passwd".into()),
        ("file", |s| s.file = "C:\\model".into()),
        ("file", |s| s.file = "a//b".into()),
        ("sha256", |s| s.sha256 = "00FF".repeat(16)),
        ("sha256", |s| s.sha256 = "00".into()),
    ];
    for (what, spoil) in bad {
        let mut source = source();
        spoil(&mut source);
        let cache = tempfile::tempdir().unwrap();
        let error = fetch(&nobody(), &source, &cache).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        message(Err(error), &[what, "expected"]);
        assert!(files(cache.path()).is_empty());
    }
    for address in ["ftp://example.org", "https://", "huggingface.co", "file:///etc"] {
        assert_eq!(Hub::at(address).unwrap_err().exit_code(), 2, "{address}");
    }
}

#[test]
fn a_source_is_read_strictly_and_written_as_it_was_read() {
    let written = serde_json::to_value(source()).unwrap();
    assert_eq!(written["names"], "native");
    assert_eq!(serde_json::from_value::<WeightSource>(written.clone()).unwrap(), source());
    let refused = |key: &str, value: &str| {
        let mut changed = written.clone();
        changed[key] = value.into();
        serde_json::from_value::<WeightSource>(changed).unwrap_err().to_string()
    };
    assert!(refused("sha256", "abc").contains("64 hexadecimal digits"));
    assert!(refused("sha-256", "abc").contains("sha-256"));
    assert!(refused("names", "keras").contains("torchvision"));
}

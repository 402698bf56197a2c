//! A server on this machine that speaks the hub's paths.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::Interrupt;

/// How the server behaves; the file it serves is `content`.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    pub(super) content: Vec<u8>,
    /// The connection of the first answer ends after that many bytes of the body.
    pub(super) break_after: Option<usize>,
    /// Whether ranges are ignored.
    pub(super) no_ranges: bool,
    /// Another server for the content, as the hub has one: an address that begins with it.
    pub(super) redirect_to: Option<String>,
    /// This status instead of any answer.
    pub(super) status: Option<u16>,
    /// Sends the body in chunks, without saying how long it is.
    pub(super) chunked: bool,
    /// Says that the body is that long.
    pub(super) announced: Option<u64>,
    /// The commit that it says it is at, instead of [`COMMIT`].
    pub(super) commit: Option<&'static str>,
    /// Raised after the first piece of a body.
    pub(super) raises: Interrupt,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) range: Option<String>,
    /// Bytes of the body that were sent, or were about to be.
    pub(super) sent: usize,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The commit that the server's branch stands for.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Server {
    pub(super) fn new(mut behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // A client that goes away in the middle is part of the tests.
                    let _gone = answer(&stream.unwrap(), &mut behaviour, &seen);
                }
            }
        });
        Self { url, seen, stop, thread: Some(thread) }
    }

    /// All requests so far, in order.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the server, which then looks at the flag.
        let _woken = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Notes a request before it is answered, and every piece before it is sent: what a client has
/// got is always in the notes.
fn answer(mut stream: &TcpStream, behaviour: &mut Behaviour, notes: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut range = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("range") {
            range = Some(value.trim().to_owned());
        }
    }
    notes.lock().unwrap().push(Seen { path: path.clone(), range: range.clone(), sent: 0 });
    let from = range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = if behaviour.no_ranges { 0 } else { from.unwrap_or(0) };
    let length = behaviour.content.len();
    let commit = behaviour.commit.unwrap_or(COMMIT);
    let common = format!("ETag: \"../etag\"\r\nX-Repo-Commit: {commit}\r\nConnection: close\r\n");
    let mut send = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
    let mut head = |line: &str, more: &str| send(format!("HTTP/1.1 {line}\r\n{common}{more}\r\n").as_bytes());
    if let Some(status) = behaviour.status {
        head(&format!("{status} Refused"), "Content-Length: 0\r\n");
    } else if let Some(to) = behaviour.redirect_to.as_ref().filter(|_| path.contains("/resolve/")) {
        head("302 Found", &format!("Location: {to}{path}\r\nContent-Length: 0\r\n"));
    } else if from > 0 && from >= length {
        head("416 Range Not Satisfiable", "Content-Length: 0\r\n");
    } else {
        let body = &behaviour.content[from..];
        let size = if behaviour.chunked {
            "Transfer-Encoding: chunked\r\n".into()
        } else {
            format!("Content-Length: {}\r\n", behaviour.announced.unwrap_or(body.len() as u64))
        };
        if from > 0 {
            let range = format!("Content-Range: bytes {from}-{}/{length}\r\n", length - 1);
            head("206 Partial Content", &format!("{size}{range}"));
        } else {
            head("200 OK", &size);
        }
        let cut = behaviour.break_after.take();
        for piece in body[..cut.unwrap_or(body.len())].chunks(10_000) {
            let framed = match behaviour.chunked {
                true => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
                false => piece.to_vec(),
            };
            notes.lock().unwrap().last_mut()?.sent += piece.len();
            if !send(&framed) {
                break;
            }
            behaviour.raises.flag().store(true, Ordering::SeqCst);
        }
        if behaviour.chunked && cut.is_none() {
            send(b"0\r\n\r\n");
        }
    }
    Some(())
}

// SPDX-License-Identifier: MPL-2.0
//! Clients that mean no good, against a real line: 500 at a time, of six sorts, in blocks that alternate with quiet ones. Shows
//! what they do to the stream (the latency of each frame from source to sink, as GStreamer's own tracer says it), to the
//! line's descriptors and to its memory. The line is any program that takes ANDON_CONTROL; scripts/control-hostile gives it one.
//!
//! ```text
//! cargo bench -p andon-control --bench hostile -- show CLIENTS SECONDS BLOCKS gst-launch-1.0 …
//! cargo bench -p andon-control --bench hostile -- attack SOCKET CLIENTS SECONDS
//! ```
//!
//! The clients run at nice 19: their own work is not the line's, and would stand in its way on a machine of few cores.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_control::client::Client;

/// The user that attacks where this is run by root: not the line's own, for whom places are kept.
const NOBODY: u32 = 65534;

/// What a client does.
type Sort = fn(&mut UnixStream) -> std::io::Result<()>;

const SORTS: [(&str, Sort); 6] = [
    ("connect and close", |_| Ok(())),
    ("silent", |stream| stream.read(&mut [0; 1]).map(drop)),
    ("subscribe and never read", |stream| {
        stream.write_all(
            b"{\"request\":\"subscribe\",\"kinds\":[\"messages\",\"judgements\",\"drift\",\"results\",\"control\"]}\n",
        )?;
        thread::sleep(Duration::from_secs(5));
        Ok(())
    }),
    ("garbage", |stream| {
        for _ in 0..200 {
            stream.write_all(b"\xff\0{\"request\":[[[[[[\n\n]]]}}}{\"request_id\":1}\nGET / HTTP/1.1\n")?;
        }
        stream.read(&mut [0; 65536]).map(drop)
    }),
    ("lines without end", |stream| (0..400).try_for_each(|_| stream.write_all(&[b'['; 10_000]))),
    ("floods of requests", |stream| {
        for _ in 0..50 {
            stream.write_all(&b"{\"request\":\"stats\"}\n".repeat(20))?;
            let _ = stream.read(&mut [0; 65536])?;
        }
        Ok(())
    }),
];

/// Attacks until the time is over; says how often each sort connected, and how often it was let in.
fn attack(socket: &Path, clients: usize, seconds: u64) {
    let _ = rustix::process::setpriority_process(None, 19);
    let end = Instant::now() + Duration::from_secs(seconds);
    let counts: [(AtomicU64, AtomicU64); SORTS.len()] = Default::default();
    thread::scope(|scope| {
        for n in 0..clients {
            let ((_, act), (tried, let_in)) = (&SORTS[n % SORTS.len()], &counts[n % SORTS.len()]);
            let attacker = move || {
                while Instant::now() < end {
                    tried.fetch_add(1, Ordering::Relaxed);
                    if visit(socket, *act) {
                        let_in.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            };
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, attacker).expect("a thread");
        }
    });
    for ((name, _), (tried, let_in)) in SORTS.iter().zip(&counts) {
        println!("{name}: {} connections, {} let in", tried.load(Ordering::Relaxed), let_in.load(Ordering::Relaxed));
    }
}

/// Returns whether the line greeted.
fn visit(socket: &Path, act: Sort) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(3)));
    let mut start = [0; 16];
    let greeted = stream.read(&mut start).is_ok_and(|count| start[..count].starts_with(b"{\"event\":\"hello\""));
    if greeted {
        let _ = act(&mut stream);
    }
    greeted
}

/// A line, and the latencies of its frames by the block in which they went by.
struct Shown {
    line: Child,
    block: Arc<AtomicUsize>,
    latencies: Arc<Mutex<Vec<Vec<u64>>>>,
}

impl Shown {
    fn start(socket: &Path, command: &[String], blocks: usize) -> Self {
        let mut line = Command::new(&command[0]);
        line.args(&command[1..]).env("ANDON_CONTROL", format!("unix:{}?mode=0666", socket.display()));
        line.env("GST_TRACERS", "latency(flags=pipeline)")
            .env("GST_DEBUG", "GST_TRACER:7")
            .env("GST_DEBUG_NO_COLOR", "1");
        let mut line = line.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the line's program");
        let stderr = BufReader::new(line.stderr.take().expect("it is piped"));
        let (block, latencies) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(Mutex::new(vec![vec![]; blocks])));
        let (current, sorted) = (block.clone(), latencies.clone());
        thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let Some(time) = text.split_once("time=(guint64)") else { continue };
                let digits: String = time.1.chars().take_while(char::is_ascii_digit).collect();
                if let Some(latencies) = sorted.lock().expect("no panic").get_mut(current.load(Ordering::Relaxed)) {
                    latencies.extend(digits.parse::<u64>());
                }
            }
        });
        Self { line, block, latencies }
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.line.id())).map_or(0, Iterator::count)
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.line.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.line.kill();
        let _ = self.line.wait();
    }
}

fn wait_for(socket: &Path) -> Client {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match Client::connect(socket) {
            Ok(client) => return client,
            Err(error) if Instant::now() > end => panic!("the line does not answer: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// One quiet block, one under attack, one quiet, and so on.
fn show(clients: usize, seconds: u64, blocks: usize, command: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let socket = folder.path().join("line.sock");
    let shown = Shown::start(&socket, command, blocks);
    drop(wait_for(&socket));
    thread::sleep(Duration::from_secs(5));
    println!(
        "| block | frames | p50 ms | p99 ms | most ms | descriptors | MiB resident | a friend waits ms |\n|---|---|---|---|---|---|---|---|"
    );
    let (mut p99, mut frames) = (Vec::new(), 0);
    for block in 0..blocks {
        let attacked = block % 4 == 1 || block % 4 == 3;
        shown.block.store(block, Ordering::Relaxed);
        let begin = Instant::now();
        let attacker = attacked.then(|| {
            let program = env::current_exe().expect("this program");
            let numbers = [clients.to_string(), seconds.to_string()];
            let mut attack = Command::new(program);
            attack.arg("attack").arg(&socket).args(numbers).stdout(Stdio::piped());
            if rustix::process::geteuid().is_root() {
                attack.uid(NOBODY);
            }
            attack.spawn().expect("this program")
        });
        let (mut descriptors, mut waits) = (0, Vec::new());
        while begin.elapsed() < Duration::from_secs(seconds) {
            thread::sleep(Duration::from_millis(250));
            descriptors = descriptors.max(shown.descriptors());
            waits.push(friend(&socket));
        }
        shown.block.store(usize::MAX, Ordering::Relaxed);
        let said = attacker.map(|attacker| attacker.wait_with_output().expect("it ends").stdout);
        let mut latencies = std::mem::take(&mut shown.latencies.lock().expect("no panic")[block]);
        latencies.sort_unstable();
        assert!(!latencies.is_empty(), "no frame went by: the line has ended");
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e6;
        let in_time: Vec<f64> = waits.iter().flatten().copied().collect();
        let friend = match in_time.len() {
            0 => "never let in".into(),
            count => format!("{:.1} ({count} of {})", median(in_time), waits.len()),
        };
        let name = if attacked { "attacked" } else { "quiet" };
        let (resident, count) = (shown.resident_kib() as f64 / 1024.0, latencies.len());
        println!(
            "| {name} | {count} | {:.2} | {:.2} | {:.2} | {descriptors} | {resident:.1} | {friend} |",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        if let Some(said) = said.filter(|_| block == 1) {
            eprint!("{}", String::from_utf8_lossy(&said));
        }
        p99.push(at(0.99));
        frames += count;
    }
    let ratios = |first: usize, step: usize, other: usize| -> Vec<f64> {
        (first..blocks.saturating_sub(other)).step_by(step).map(|at| p99[at + other] / p99[at]).collect()
    };
    let spread = |all: Vec<f64>| {
        let (least, most) = all.iter().fold((f64::MAX, f64::MIN), |(l, m), r| (l.min(*r), m.max(*r)));
        format!("{:.3} ({least:.3} to {most:.3}, {} pairs)", median(all.clone()), all.len())
    };
    println!("\np99 attacked / quiet: {}", spread(ratios(0, 2, 1)));
    println!("p99 quiet / quiet:    {}", spread(ratios(0, 2, 2)));
    println!("{frames} frames");
}

/// How long somebody who means well waits for an answer, ms; none if there is no place.
fn friend(socket: &Path) -> Option<f64> {
    let begin = Instant::now();
    let mut client = Client::connect(socket).ok()?;
    client.elements(false).ok()?;
    Some(begin.elapsed().as_secs_f64() * 1000.0)
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize| arguments[at].parse().unwrap_or_else(|e| panic!("{}: {e}", arguments[at]));
    match arguments.first().map(String::as_str) {
        Some("attack") if arguments.len() == 4 => attack(&PathBuf::from(&arguments[1]), number(2), number(3) as u64),
        Some("show") if arguments.len() > 4 => show(number(1), number(2) as u64, number(3), &arguments[4..]),
        // Among all benches it has no line to attack.
        None => println!("scripts/control-hostile shows what clients that mean no good do to a line"),
        _ => {
            eprintln!("hostile show CLIENTS SECONDS BLOCKS PROGRAM … | hostile attack SOCKET CLIENTS SECONDS");
            std::process::exit(2);
        }
    }
}

//! A server as a process, which ends with the benchmark.

use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    child: Child,
}

/// A port that nobody listens on.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

impl Server {
    /// Starts a command that will listen on a port, and waits until `GET path` is answered with 200.
    pub(super) fn start(
        name: &str,
        mut command: Command,
        port: u16,
        path: &str,
    ) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("{name}: cannot start {command:?}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { name: name.to_owned(), address, child };
        let begun = Instant::now();
        while !answers(address, path) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{name}: ended before it answered ({status}); it was started as {command:?}");
            }
            if begun.elapsed() > Duration::from_mins(3) {
                bail!("{name}: does not answer {path} after three minutes");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Sends the signal HUP.
    pub(super) fn hang_up(&self) -> anyhow::Result<()> {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        anyhow::ensure!(sent.context("cannot run `kill`")?.success(), "{}: no signal", self.name);
        Ok(())
    }

    /// Resident memory, in MiB.
    pub(super) fn resident(&self) -> f64 {
        resident(self.child.id())
    }

    /// What says the resident memory later.
    pub(super) fn memory(&self) -> impl Fn() -> f64 + 'static {
        let id = self.child.id();
        move || resident(id)
    }
}

fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

impl Drop for Server {
    fn drop(&mut self) {
        // The signal KILL, which is also what one of the cases is about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

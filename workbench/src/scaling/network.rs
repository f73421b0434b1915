//! Ranks in network namespaces of this machine, between which a token bucket limits the bandwidth.

use anyhow::{Context, ensure};
use std::path::PathBuf;
use std::process::Command;

/// Namespaces on one bridge. They are removed with this value.
pub(super) struct Network {
    ranks: usize,
    /// What `mpirun` calls in place of `ssh`.
    agent: PathBuf,
    _folder: tempfile::TempDir,
}

const BRIDGE: &str = "sextant-br";

fn namespace(rank: usize) -> String {
    format!("sextant-{rank}")
}

/// The end of a namespace's link that lies outside it.
fn link(rank: usize) -> String {
    format!("sxt-veth{rank}")
}

/// The address of a namespace; the bridge has the first one.
fn address(rank: usize) -> String {
    format!("10.77.19.{}", rank + 2)
}

impl Network {
    /// As many namespaces as ranks, each with a link of this rate in both directions.
    pub(super) fn new(ranks: usize, rate: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let agent = folder.path().join("agent");
        // Each daemon thinks that it is on a machine of its own, so that ranks do not talk through memory.
        let script = "#!/bin/sh\n# agent ADDRESS COMMAND…\nhost=$1; shift\nname=sextant-$((${host##*.} - 2))\nexec ip netns exec \"$name\" unshare --uts sh -c \"hostname $name; $*\"\n";
        std::fs::write(&agent, script)?;
        run(&format!("chmod +x {}", agent.display()))?;
        let network = Self { ranks, agent, _folder: folder };
        network.remove(); // what a killed measurement has left
        run(&format!("ip link add {BRIDGE} type bridge"))?;
        run(&format!("ip addr add 10.77.19.1/24 dev {BRIDGE}"))?;
        run(&format!("ip link set {BRIDGE} up"))?;
        for rank in 0..ranks {
            let (name, outer) = (namespace(rank), link(rank));
            run(&format!("ip netns add {name}"))?;
            run(&format!("ip link add {outer} type veth peer name eth0 netns {name}"))?;
            run(&format!("ip link set {outer} master {BRIDGE} up"))?;
            let limit = format!("root tbf rate {rate} burst 256kb latency 50ms");
            run(&format!("tc qdisc add dev {outer} {limit}"))?;
            for line in [
                "ip link set lo up".to_owned(),
                format!("ip addr add {}/24 dev eth0", address(rank)),
                "ip link set eth0 up".to_owned(),
                format!("tc qdisc add dev eth0 {limit}"),
            ] {
                run(&format!("ip netns exec {name} {line}"))?;
            }
        }
        Ok(network)
    }

    /// Makes `mpirun` start each rank in its namespace.
    pub(super) fn prepare(&self, mpirun: &mut Command) {
        let hosts: Vec<String> =
            (0..self.ranks).map(|rank| format!("{}:1", address(rank))).collect();
        mpirun.args(["--host", &hosts.join(","), "--bind-to", "none"]);
        let agent = self.agent.display().to_string();
        let networks = ["10.77.19.0/24"; 2];
        for (key, value) in [
            ("plm_rsh_agent", agent.as_str()),
            ("btl", "tcp,self"),
            ("btl_tcp_if_include", networks[0]),
            ("oob_tcp_if_include", networks[1]),
        ] {
            mpirun.args(["--mca", key, value]);
        }
    }

    fn remove(&self) {
        for rank in 0..self.ranks {
            // The link goes with its namespace, but only some time later, and the next network needs its name.
            let _ = run(&format!("ip link del {}", link(rank)));
            let _ = run(&format!("ip netns del {}", namespace(rank)));
        }
        let _ = run(&format!("ip link del {BRIDGE}"));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn run(line: &str) -> anyhow::Result<()> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("cannot run `{program}`"))?;
    ensure!(
        output.status.success(),
        "`{line}`: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

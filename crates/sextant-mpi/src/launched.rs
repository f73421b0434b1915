//! Whether this process is one of several.

/// Variables in which launchers say how many processes they have started: Open MPI, MPICH and its kin
/// (Hydra, Intel MPI), MVAPICH, and PMIx or Slurm's PMI.
const SIZES: [&str; 5] =
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS"];

/// How many processes a launcher of MPI has started together with this one; `None` if none has, as far as the
/// environment tells. Slurm's `srun` counts if it started the processes as ranks of MPI (`--mpi=pmix` or
/// `--mpi=pmi2`), and more than one.
pub fn launched() -> Option<usize> {
    of(|name| std::env::var(name).ok())
}

fn of(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let number = |name: &str| variable(name)?.parse().ok();
    let said = SIZES.iter().find_map(|name| number(name));
    let as_ranks = || ["PMI_RANK", "PMIX_RANK"].iter().any(|name| variable(name).is_some());
    said.or_else(|| number("SLURM_NTASKS").filter(|_| as_ranks()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<usize> {
        of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("OMPI_COMM_WORLD_SIZE", "3")]), Some(3));
        assert_eq!(found(&[("PMI_SIZE", "2"), ("PMI_RANK", "0")]), Some(2));
        assert_eq!(found(&[("SLURM_NTASKS", "4"), ("PMIX_RANK", "1")]), Some(4));
        // A batch job of four tasks whose script runs the program itself.
        assert_eq!(found(&[("SLURM_NTASKS", "4")]), None);
    }
}

//! Union-find: disjoint sets that can be joined.

/// A disjoint-set forest over `0..n`.
#[derive(Debug, Clone, Default)]
pub struct UnionFind {
    parent: Vec<usize>,
}

impl UnionFind {
    /// Adds a set of one element and gives the element's number.
    pub fn push(&mut self) -> usize {
        self.parent.push(self.parent.len());
        self.parent.len() - 1
    }

    /// The representative of the set of `element`: the smallest number in it.
    pub fn find(&mut self, element: usize) -> usize {
        let mut root = element;
        while self.parent[root] != root {
            root = self.parent[root];
        }
        let mut walk = element;
        while self.parent[walk] != root {
            walk = std::mem::replace(&mut self.parent[walk], root);
        }
        root
    }

    /// Joins the sets of two elements. Gives the representative of the joined set and the one that is no
    /// longer a representative; `None` if the elements were in the same set.
    pub fn union(&mut self, a: usize, b: usize) -> Option<(usize, usize)> {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return None;
        }
        let (kept, lost) = (a.min(b), a.max(b));
        self.parent[lost] = kept;
        Some((kept, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn union_find_agrees_with_reachability(n in 1_usize..24, edges in prop::collection::vec((0_usize..24, 0_usize..24), 0..40)) {
            let mut sets = UnionFind::default();
            for _ in 0..n { sets.push(); }
            let mut linked = vec![vec![false; n]; n];
            for (i, row) in linked.iter_mut().enumerate() { row[i] = true; }
            for (a, b) in edges.into_iter().filter(|&(a, b)| a < n && b < n) {
                sets.union(a, b);
                linked[a][b] = true;
                linked[b][a] = true;
            }
            for k in 0..n { for i in 0..n { for j in 0..n {
                linked[i][j] |= linked[i][k] && linked[k][j];
            }}}
            for (i, row) in linked.iter().enumerate() {
                for (j, &joined) in row.iter().enumerate() {
                    prop_assert_eq!(sets.find(i) == sets.find(j), joined);
                }
                prop_assert!(sets.find(i) <= i);
            }
        }
    }
}

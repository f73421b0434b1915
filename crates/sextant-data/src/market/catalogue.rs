//! The tree of product types: departments, their categories, and the leaf types under them.
//!
//! Names share words on purpose across branches ("coffee table", "coffee maker", "coffee
//! grinder", "angle grinder"), and equivalent names share few ("sofa", "couch", "settee").

use super::attributes::{
    Attribute, CAPACITY, COLOR, CONNECTION, COUNT, FABRIC, LENGTH, METAL, SIZE, STORAGE, VOLTAGE,
    WOOD,
};

/// A top-level node of the tree.
#[derive(Debug)]
pub(super) struct Department {
    pub(super) name: &'static str,
    /// The brands of the department; some brands are in two departments.
    pub(super) brands: &'static [&'static str],
    pub(super) categories: &'static [Category],
}

/// A node below a department, which is the parent of a few leaf types.
#[derive(Debug)]
pub(super) struct Category {
    /// Equivalent names, with the canonical name first.
    pub(super) names: &'static [&'static str],
    /// The attributes that all its products have.
    pub(super) attributes: [&'static Attribute; 2],
    /// Things that a title may say the product comes with; they do not tell its type.
    pub(super) extras: &'static [&'static str],
    /// The leaf types, each a list of equivalent names in the singular with the canonical name first.
    pub(super) leaves: &'static [&'static [&'static str]],
}

/// The names of product lines, which distinguish the models of a brand.
pub(super) static LINES: &[&str] = &[
    "nova", "prime", "terra", "vista", "echo", "apex", "luna", "orbit", "delta", "summit", "pulse",
    "zenith",
];

/// How many departments there are.
pub(super) const DEPARTMENT_COUNT: usize = 6;

pub(super) static DEPARTMENTS: &[Department; DEPARTMENT_COUNT] = &[
    Department {
        name: "tools",
        brands: &["acme", "borlo", "tavix", "kronn", "hestek"],
        categories: &[
            Category {
                names: &["power tools", "electric tools"],
                attributes: [&VOLTAGE, &COLOR],
                extras: &["charger", "carrying case", "belt clip"],
                leaves: &[
                    &["cordless drill", "battery powered drill", "battery drill"],
                    &["impact driver", "impact screwdriver"],
                    &["circular saw", "rotary saw"],
                    &["angle grinder", "disc grinder"],
                ],
            },
            Category {
                names: &["hand tools", "manual tools"],
                attributes: [&METAL, &COLOR],
                extras: &["soft grip", "hanging hook", "carrying case"],
                leaves: &[
                    &["claw hammer", "nail hammer"],
                    &["adjustable wrench", "spanner"],
                    &["tape measure", "measuring tape"],
                    &["hand saw", "crosscut saw"],
                ],
            },
            Category {
                names: &["tool storage", "workshop organizers"],
                attributes: [&SIZE, &COLOR],
                extras: &["lock", "shoulder strap", "hanging hook"],
                leaves: &[
                    &["tool box", "tool chest"],
                    &["tool bag", "tool tote"],
                    &["work bench", "workshop table"],
                    &["tool belt", "tool pouch"],
                ],
            },
        ],
    },
    Department {
        name: "furniture",
        brands: &["norrlund", "casavia", "oakmere", "felder", "lumora"],
        categories: &[
            Category {
                names: &["seating", "living room seats"],
                attributes: [&FABRIC, &COLOR],
                extras: &["cushions", "cup holder", "storage"],
                leaves: &[
                    &["sofa", "couch", "settee"],
                    &["armchair", "club chair"],
                    &["recliner", "reclining chair"],
                    &["ottoman", "footstool"],
                ],
            },
            Category {
                names: &["tables", "desks and tables"],
                attributes: [&WOOD, &COLOR],
                extras: &["drawer", "storage", "power outlet"],
                leaves: &[
                    &["coffee table", "cocktail table"],
                    &["dining table", "dinner table"],
                    &["writing desk", "bureau"],
                    &["nightstand", "bedside table"],
                ],
            },
            Category {
                names: &["lighting", "lamps"],
                attributes: [&METAL, &COLOR],
                extras: &["dimmer", "usb port", "bulbs"],
                leaves: &[
                    &["table lamp", "bedside light"],
                    &["floor lamp", "standing light"],
                    &["pendant light", "hanging lamp"],
                    &["wall sconce", "wall light"],
                ],
            },
        ],
    },
    Department {
        name: "kitchen",
        brands: &["lumora", "brasca", "tefira", "kenwick", "potterly"],
        categories: &[
            Category {
                names: &["cookware", "pots and pans"],
                attributes: [&METAL, &SIZE],
                extras: &["glass lid", "soft grip", "recipe book"],
                leaves: &[
                    &["frying pan", "skillet"],
                    &["saucepan", "sauce pot"],
                    &["stock pot", "soup kettle"],
                    &["pressure cooker", "steam cooker"],
                ],
            },
            Category {
                names: &["coffee and tea", "hot drink makers"],
                attributes: [&CAPACITY, &COLOR],
                extras: &["timer", "filter", "recipe book"],
                leaves: &[
                    &["coffee maker", "coffee machine"],
                    &["tea kettle", "water boiler"],
                    &["french press", "cafetiere"],
                    &["coffee grinder", "bean mill"],
                ],
            },
            Category {
                names: &["drinkware", "cups and bottles"],
                attributes: [&COUNT, &COLOR],
                extras: &["straw", "gift box", "cup holder"],
                leaves: &[
                    &["coffee mug", "drinking cup"],
                    &["water bottle", "canteen"],
                    &["wine glass", "goblet"],
                    &["tumbler", "travel cup"],
                ],
            },
        ],
    },
    Department {
        name: "electronics",
        brands: &["sonira", "voltari", "quantek", "pixelon", "kenwick"],
        categories: &[
            Category {
                names: &["audio", "sound equipment"],
                attributes: [&CONNECTION, &COLOR],
                extras: &["charger", "carrying case", "microphone"],
                leaves: &[
                    &["headphones", "headset"],
                    &["earbuds", "ear pods"],
                    &["speaker", "loudspeaker"],
                    &["soundbar", "tv sound bar"],
                ],
            },
            Category {
                names: &["computers", "computing"],
                attributes: [&STORAGE, &COLOR],
                extras: &["charger", "keyboard", "carrying case"],
                leaves: &[
                    &["laptop", "notebook computer"],
                    &["tablet", "touch pad"],
                    &["desktop computer", "pc tower"],
                    &["monitor", "display screen"],
                ],
            },
            Category {
                names: &["phone accessories", "mobile accessories"],
                attributes: [&LENGTH, &COLOR],
                extras: &["gift box", "belt clip", "cable tie"],
                leaves: &[
                    &["charging cable", "charger cord"],
                    &["phone strap", "phone lanyard"],
                    &["power bank", "portable battery"],
                    &["selfie stick", "camera pole"],
                ],
            },
        ],
    },
    Department {
        name: "clothing",
        brands: &["veston", "marlow", "stridex", "altura", "cottonel"],
        categories: &[
            Category {
                names: &["tops", "upper wear"],
                attributes: [&SIZE, &COLOR],
                extras: &["pocket", "zipper", "gift box"],
                leaves: &[
                    &["t shirt", "tee"],
                    &["sweater", "pullover", "jumper"],
                    &["hoodie", "hooded sweatshirt"],
                    &["dress shirt", "button down"],
                ],
            },
            Category {
                names: &["bottoms", "leg wear"],
                attributes: [&SIZE, &COLOR],
                extras: &["pocket", "zipper", "drawstring"],
                leaves: &[
                    &["jeans", "denim pants"],
                    &["shorts", "short pants"],
                    &["leggings", "tights"],
                    &["sweatpants", "joggers"],
                ],
            },
            Category {
                names: &["footwear", "shoes"],
                attributes: [&FABRIC, &COLOR],
                extras: &["laces", "shoe bag", "insoles"],
                leaves: &[
                    &["sneakers", "trainers"],
                    &["hiking boots", "trail boots"],
                    &["sandals", "flip flops"],
                    &["loafers", "slip on shoes"],
                ],
            },
        ],
    },
    Department {
        name: "garden",
        brands: &["acme", "greenvale", "hydrona", "altura", "fernbury"],
        categories: &[
            Category {
                names: &["watering", "irrigation"],
                attributes: [&LENGTH, &COLOR],
                extras: &["nozzle", "timer", "wall mount"],
                leaves: &[
                    &["garden hose", "water pipe"],
                    &["sprinkler", "lawn sprayer"],
                    &["hose reel", "hose trolley"],
                    &["drip line", "soaker tube"],
                ],
            },
            Category {
                names: &["yard machines", "lawn equipment"],
                attributes: [&VOLTAGE, &COLOR],
                extras: &["charger", "collection bag", "shoulder strap"],
                leaves: &[
                    &["lawn mower", "grass cutter"],
                    &["string trimmer", "weed eater"],
                    &["leaf blower", "yard vacuum"],
                    &["pressure washer", "jet cleaner"],
                ],
            },
            Category {
                names: &["outdoor furniture", "patio furniture"],
                attributes: [&WOOD, &COLOR],
                extras: &["cushions", "cup holder", "cover"],
                leaves: &[
                    &["garden chair", "lawn seat"],
                    &["park bench", "garden bench"],
                    &["patio table", "picnic table"],
                    &["deck lounger", "sun bed"],
                ],
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The truth is exact only if no surface name has two meanings.
    #[test]
    fn no_surface_name_means_two_things() {
        let mut meanings: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut mean = |surface: &'static str, meaning: String| {
            meanings.entry(surface).or_default().insert(meaning);
        };
        for line in LINES {
            mean(line, format!("line {line}"));
        }
        for department in DEPARTMENTS {
            mean(department.name, format!("department {}", department.name));
            for brand in department.brands {
                mean(brand, format!("brand {brand}"));
            }
            for category in department.categories {
                for name in category.names {
                    mean(name, category.names[0].to_owned());
                }
                for leaf in category.leaves {
                    for name in *leaf {
                        mean(name, format!("leaf {}", leaf[0]));
                    }
                }
                for attribute in category.attributes {
                    for value in attribute.values {
                        for surface in *value {
                            mean(surface, format!("value {}", value[0]));
                        }
                    }
                }
            }
        }
        let doubtful: Vec<_> = meanings.iter().filter(|(_, means)| means.len() > 1).collect();
        assert!(doubtful.is_empty(), "{doubtful:?}");
    }

    #[test]
    fn every_leaf_has_another_name_and_siblings() {
        for category in DEPARTMENTS.iter().flat_map(|department| department.categories) {
            assert!(category.names.len() >= 2 && category.leaves.len() >= 2, "{category:?}");
            assert!(category.leaves.iter().all(|names| names.len() >= 2), "{category:?}");
            assert_ne!(category.attributes[0].name, category.attributes[1].name);
        }
    }
}

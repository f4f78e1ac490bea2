import type { Colour, Pattern } from "./paint.ts";

/** Names a shop would give the colours; the record's `colour` has the plain one. */
export const colourNames: Readonly<Record<Colour, readonly string[]>> = {
  red: ["Red", "Cherry Red", "Brick Red"],
  orange: ["Orange", "Burnt Orange", "Tangerine"],
  yellow: ["Yellow", "Mustard Yellow", "Lemon Yellow"],
  green: ["Green", "Moss Green", "Leaf Green"],
  teal: ["Teal", "Sea Teal", "Petrol Teal"],
  blue: ["Blue", "Cobalt Blue", "Ocean Blue"],
  purple: ["Purple", "Plum Purple", "Violet"],
  pink: ["Pink", "Rose Pink", "Candy Pink"],
  brown: ["Brown", "Chestnut Brown", "Walnut Brown"],
  black: ["Black", "Ink Black", "Coal Black"],
  white: ["White", "Chalk White", "Cream White"],
  grey: ["Grey", "Slate Grey", "Stone Grey"],
};

export const patternSentences: Readonly<Record<Pattern, readonly string[]>> = {
  plain: ["One even colour.", "No pattern, no logo.", "Kept plain on purpose."],
  striped: ["Broad stripes all over.", "Striped like a deck chair."],
  dotted: ["Polka dots all over.", "Covered in small round dots."],
  checked: ["A checked pattern, woven rather than printed.", "Checked like a picnic blanket."],
};

export interface Wording {
  /** What it is called in a title, by style. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly materials: readonly string[];
  readonly made: readonly string[];
  readonly uses: readonly string[];
  /** Lowest and highest price. */
  readonly price: readonly [min: number, max: number];
}

export const wordings: Readonly<Record<string, Wording>> = {
  sneakers: {
    names: {
      "low-top": ["Low-Top Sneakers", "Court Sneakers", "Running Shoes"],
      "high-top": ["High-Top Sneakers", "Basketball High-Tops"],
      "slip-on": ["Slip-On Sneakers", "Deck Shoes"],
    },
    materials: ["Canvas", "Mesh", "Suede", "Recycled Knit"],
    made: [
      "Cushioned rubber sole that grips wet pavement.",
      "Padded collar and a removable insole.",
      "Stitched, not glued, so the sole can be renewed.",
      "Light enough to forget you have them on.",
    ],
    uses: [
      "Made for long runs on the road.",
      "For skating, standing around and everything between.",
      "Comfortable from the first morning, all day on your feet.",
      "Packs flat for the gym bag.",
    ],
    price: [29, 160],
  },
  boots: {
    names: {
      "ankle boot": ["Ankle Boots", "Chelsea Boots"],
      "rain boot": ["Rain Boots", "Wellington Boots"],
      "hiking boot": ["Hiking Boots", "Mountain Boots"],
    },
    materials: ["Oiled", "Classic", "Waterproof", "Lined"],
    made: [
      "Deep tread that does not let go of mud.",
      "Warm felt lining, sealed seams.",
      "A heel loop to pull them on without bending down.",
      "Stiff shank that spares the ankle on stony ground.",
    ],
    uses: [
      "Keeps feet dry in puddles and wet grass.",
      "For steep trails and long days in the mountains.",
      "From the garden straight into town.",
      "For winter streets, snow and salt.",
    ],
    price: [45, 240],
  },
  watches: {
    names: { "round watch": ["Round Watch", "Field Watch"], "square watch": ["Square Watch", "Tank Watch"] },
    materials: ["Steel", "Slim", "Automatic", "Quartz"],
    made: [
      "Sapphire glass that is hard to scratch.",
      "Water resistant to 50 metres.",
      "The strap is changed without tools.",
      "Hands that glow softly in the dark.",
    ],
    uses: [
      "Easy to read at a glance, day and night.",
      "Thin enough to slide under a cuff.",
      "A first good watch, and a gift that lasts.",
      "For swimming as much as for the office.",
    ],
    price: [39, 890],
  },
  sunglasses: {
    names: {
      "round sunglasses": ["Round Sunglasses"],
      "square sunglasses": ["Square Sunglasses"],
      "cat-eye sunglasses": ["Cat-Eye Sunglasses"],
    },
    materials: ["Acetate", "Polarised", "Featherlight", "Vintage"],
    made: [
      "Full UV protection, lenses of category 3.",
      "Five-barrel hinges that don't work loose.",
      "Comes with a cloth and a hard case.",
      "Frames of plant-based acetate.",
    ],
    uses: [
      "Takes the glare off water and snow.",
      "For the beach, the terrace and the long drive home.",
      "Sits firmly on a small face.",
      "A little glamour for bright days.",
    ],
    price: [15, 180],
  },
  handbags: {
    names: {
      tote: ["Tote Bag", "Shopper"],
      satchel: ["Satchel", "Shoulder Bag"],
      "bucket bag": ["Bucket Bag", "Drawstring Bag"],
    },
    materials: ["Leather", "Canvas", "Vegan Leather", "Waxed Cotton"],
    made: [
      "Inner pocket with a zip for keys and cards.",
      "Reinforced handles that don't cut into the shoulder.",
      "Closes with a quiet magnet.",
      "Lined with cotton, hems turned twice.",
    ],
    uses: [
      "Takes a laptop, a book and lunch.",
      "Goes from the office to dinner.",
      "Folds small and carries a week's groceries.",
      "Just large enough for an evening out.",
    ],
    price: [19, 420],
  },
  backpacks: {
    names: { daypack: ["Daypack", "School Backpack"], "roll-top backpack": ["Roll-Top Backpack"] },
    materials: ["Nylon", "Canvas", "Recycled", "Waxed Cotton"],
    made: [
      "Padded sleeve for a 15-inch laptop.",
      "Breathable back panel and a chest strap.",
      "Welded seams keep rain out.",
      "Two bottle pockets that really hold a bottle.",
    ],
    uses: [
      "For cycling to work in all weather.",
      "Carries books to school and back for years.",
      "Fits under the seat of a plane.",
      "For day hikes with a jacket and lunch.",
    ],
    price: [25, 210],
  },
  umbrellas: {
    names: {
      "open umbrella": ["Stick Umbrella", "Golf Umbrella"],
      "folded umbrella": ["City Umbrella", "Cane Umbrella"],
    },
    materials: ["Storm", "Automatic", "Classic", "Fibreglass"],
    made: [
      "Fibreglass ribs that flip back after a gust.",
      "Opens at the push of a button.",
      "A curved handle of real wood.",
      "Dries in minutes when shaken out.",
    ],
    uses: [
      "Wide enough for two in a downpour.",
      "Stands up to wind at the coast.",
      "Hangs from the arm while you pay.",
      "Keeps off the sun as well as the rain.",
    ],
    price: [12, 95],
  },
  headphones: {
    names: {
      "over-ear headphones": ["Over-Ear Headphones", "Studio Headphones"],
      "on-ear headphones": ["On-Ear Headphones", "DJ Headphones"],
    },
    materials: ["Wireless", "Noise-Cancelling", "Foldable", "Wired"],
    made: [
      "Forty hours of music on one charge.",
      "Soft cushions of memory foam.",
      "Two microphones for clear calls.",
      "Every part can be replaced with a screwdriver.",
    ],
    uses: [
      "Quiet on trains, planes and in open offices.",
      "For mixing, with an honest, flat sound.",
      "Stays put while you move.",
      "Sized for children's heads too, with a volume limit.",
    ],
    price: [25, 390],
  },
  mugs: {
    names: {
      "straight mug": ["Mug", "Coffee Mug"],
      "round mug": ["Round Mug", "Cappuccino Cup"],
      "latte mug": ["Latte Mug", "Tall Mug"],
    },
    materials: ["Stoneware", "Porcelain", "Enamel", "Hand-Thrown"],
    made: [
      "Glazed inside and out, safe in the dishwasher.",
      "A handle with room for four fingers.",
      "Thick walls that keep coffee hot.",
      "Each one a little different from the next.",
    ],
    uses: [
      "Holds the big first coffee of the day.",
      "For cocoa on cold evenings.",
      "Stacks neatly in a small kitchen.",
      "Sturdy enough for the campfire.",
    ],
    price: [6, 48],
  },
  teapots: {
    names: { "round teapot": ["Teapot", "Round Teapot"], "coffee pot": ["Coffee Pot", "Tall Teapot"] },
    materials: ["Porcelain", "Cast Iron", "Stoneware", "Enamel"],
    made: [
      "A spout that pours without dripping.",
      "Holds one litre, enough for four cups.",
      "The lid stays on while you pour.",
      "With a fine steel strainer for loose leaves.",
    ],
    uses: [
      "For slow Sunday breakfasts.",
      "Keeps tea warm through a long talk.",
      "For guests, and for one person with time.",
      "Looks well on the table from every side.",
    ],
    price: [18, 130],
  },
  chairs: {
    names: {
      "side chair": ["Dining Chair", "Side Chair"],
      armchair: ["Armchair", "Reading Chair"],
      stool: ["Bar Stool", "Kitchen Stool"],
    },
    materials: ["Oak", "Beech", "Upholstered", "Scandinavian"],
    made: [
      "Solid wood joints, no screws in sight.",
      "The cover comes off and can be washed.",
      "Felt pads under every leg.",
      "Firm cushion that keeps its shape.",
    ],
    uses: [
      "For reading until the light goes.",
      "Fits a narrow kitchen, seats long dinners.",
      "Comfortable at a desk for a working day.",
      "Deep enough to curl up in.",
    ],
    price: [49, 780],
  },
  lamps: {
    names: {
      "table lamp": ["Table Lamp", "Bedside Lamp"],
      "floor lamp": ["Floor Lamp", "Tripod Lamp"],
      "desk lamp": ["Desk Lamp", "Work Lamp"],
    },
    materials: ["Linen", "Brass", "Ceramic", "Dimmable"],
    made: [
      "Warm light, dimmed in three steps.",
      "A long textile cable with a switch.",
      "The shade turns to where you need it.",
      "Heavy foot that cats can't topple.",
    ],
    uses: [
      "For reading in bed without waking anyone.",
      "Bright, glare-free light for fine work.",
      "Makes a dark corner of the living room friendly.",
      "Soft light for evenings by the sofa.",
    ],
    price: [22, 340],
  },
};

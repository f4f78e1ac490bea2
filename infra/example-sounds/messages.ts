export const topics = ["appointment", "delivery", "travel", "food", "money", "weather"] as const;
export type Topic = (typeof topics)[number];
export type Language = "en" | "de" | "fr";

export interface Message {
  readonly topic: Topic;
  readonly said: string;
  /** Default `en`. */
  readonly language?: Language;
}

/** One of the synthetic voices of espeak-ng (formants) or Flite (recorded units and models of real speakers). */
export interface Speaker {
  readonly program: "espeak-ng" | "flite";
  readonly voice: string;
  readonly messages: readonly Message[];
  /** Said by the same voice; in no record. */
  readonly unheard: string;
}

/** What six callers say to an answering machine. */
export const speakers: Readonly<Record<string, Speaker>> = {
  angus: {
    program: "flite",
    voice: "awb",
    messages: [
      {
        topic: "appointment",
        said: "I can't make the dentist on Monday. Could we move it to the week after?",
      },
      {
        topic: "delivery",
        said: "Your parcel came to my door by mistake. Come over and fetch it any evening.",
      },
      {
        topic: "travel",
        said: "The ferry is cancelled, so I will stay another night and take the early train.",
      },
      { topic: "food", said: "I'm making a fish stew tonight. Bring some bread and a lemon if you can." },
      { topic: "money", said: "The plumber wants to be paid in cash. It comes to ninety pounds." },
      {
        topic: "weather",
        said: "There's a gale coming in tonight. Tie down the boat and bring the chairs inside.",
      },
    ],
    unheard: "It's only me. I found your keys behind the sofa, so don't change the locks just yet.",
  },
  robert: {
    program: "flite",
    voice: "rms",
    messages: [
      {
        topic: "appointment",
        said: "This is a reminder of your check-up at the clinic on Thursday at nine.",
      },
      {
        topic: "delivery",
        said: "We tried to bring your package today, but nobody opened. We will try again tomorrow.",
      },
      { topic: "travel", said: "My flight is two hours late. Please don't wait for me at the airport." },
      {
        topic: "food",
        said: "I booked a table for four at the Italian place. They have fresh pasta on Fridays.",
      },
      {
        topic: "money",
        said: "Your invoice from March has not been paid yet. Please transfer the amount this week.",
      },
      {
        topic: "weather",
        said: "They expect heavy snow by the weekend, so put the winter tyres on the car.",
      },
    ],
    unheard: "Call me back when you get this. The printer on the second floor is broken again.",
  },
  susan: {
    program: "flite",
    voice: "slt",
    messages: [
      {
        topic: "appointment",
        said: "The doctor can see you earlier, on Tuesday morning, if that suits you.",
      },
      {
        topic: "delivery",
        said: "The flowers you ordered are ready. Our driver will be with you before noon.",
      },
      { topic: "travel", said: "I missed the last bus home. Could you pick me up at the station?" },
      { topic: "food", said: "We have run out of milk and eggs. Can you stop at the market on your way?" },
      { topic: "money", said: "I sent you the rent this morning. Let me know when it is on your account." },
      { topic: "weather", said: "It's finally sunny here. Let's have the party in the garden instead." },
    ],
    unheard: "The choir is singing a new piece on Sunday, and we could really use your voice.",
  },
  kevin: {
    program: "flite",
    voice: "kal16",
    messages: [
      {
        topic: "appointment",
        said: "The hairdresser has a free hour on Wednesday. Shall I take it for you?",
      },
      { topic: "delivery", said: "Your new desk arrives on Saturday. Two of us will carry it upstairs." },
      { topic: "travel", said: "The motorway is closed after an accident. Take the road along the river." },
      { topic: "food", said: "The birthday cake is in the oven. Don't let anyone into the kitchen." },
      { topic: "money", said: "The bank called about your credit card. Somebody tried to use it abroad." },
      { topic: "weather", said: "It has rained for three days and the cellar is wet. Bring the pump." },
    ],
    unheard: "The dog ate my notes, so can you send me the pages from last week?",
  },
  edgar: {
    program: "espeak-ng",
    voice: "",
    messages: [
      { topic: "appointment", said: "The vet has time for the cat on Friday afternoon at half past three." },
      { topic: "delivery", said: "The courier left a box with the neighbours on the third floor." },
      { topic: "travel", said: "Trains to the mountains do not run today because of a strike." },
      { topic: "food", said: "Dinner is at eight. There will be roast chicken and potatoes." },
      { topic: "money", said: "Die Rechnung ist bezahlt. Das Geld kommt am Montag an.", language: "de" },
      { topic: "weather", said: "Il pleut depuis ce matin. Prenez un parapluie avec vous.", language: "fr" },
    ],
    unheard: "The concert starts at seven, and the tickets are waiting at the door.",
  },
  fiona: {
    program: "espeak-ng",
    voice: "+f3",
    messages: [
      {
        topic: "appointment",
        said: "Please come to the eye doctor ten minutes early and bring your old glasses.",
      },
      { topic: "delivery", said: "The bookshop has your order. You can collect it until six o'clock." },
      { topic: "travel", said: "The hotel has lost our booking. We are looking for another place to sleep." },
      { topic: "food", said: "The soup is in the fridge. Warm it up slowly and add some salt." },
      { topic: "money", said: "Ich habe dir fünfzig Euro für die Fahrkarten überwiesen.", language: "de" },
      { topic: "weather", said: "Il fait très chaud ici. Nous allons nager dans le lac.", language: "fr" },
    ],
    unheard: "The children want to know when you will come and fix the swing.",
  },
};

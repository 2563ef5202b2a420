export { createNarrator, type Narrator, type Output, type Progress } from './narrator.ts';
export type { StoryEnvironment } from './story/environment.ts';
export { tellStory, type StoryOutcome, type ToldStory } from './story/story.ts';

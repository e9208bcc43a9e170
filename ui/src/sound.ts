/** The sound of an alarm: two tones, made here; silencing is not acknowledging. */

let context: AudioContext | null = null;

export function play(priority: number): void {
  context ??= new AudioContext();
  const start = context.currentTime;
  for (const [at, hertz] of [[0, 880], [0.25, priority === 1 ? 1174 : 659]] as const) {
    const tone = new OscillatorNode(context, { frequency: hertz });
    const volume = new GainNode(context, { gain: 0.2 });
    tone.connect(volume).connect(context.destination);
    tone.start(start + at);
    tone.stop(start + at + 0.2);
  }
}

import { useId } from "preact/hooks";

interface SliderProps {
  label: string;
  value: number;
  most: number;
  step: number;
  onInput: (value: number) => void;
}

/** A labelled slider from 0 that shows its value. */
export function Slider({ label, value, most, step, onInput }: SliderProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={most}
        step={step}
        value={value}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
      <output for={id}>{value.toFixed(step < 0.1 ? 2 : 1)}</output>
    </div>
  );
}

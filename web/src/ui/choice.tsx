import { useId } from "preact/hooks";

interface ChoiceProps<T extends string> {
  /** What is chosen. */
  legend: string;
  options: { value: T; label: string }[];
  value: T | undefined;
  onChange: (value: T) => void;
  /** Whether the legend is only heard. */
  quiet?: boolean;
  /** Whether the options are ways to do the same thing. */
  tabs?: boolean;
}

/** One of several, as a row of buttons; a radio group for keyboards and screen readers. */
export function Choice<T extends string>({ legend, options, value, onChange, quiet, tabs }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset class={tabs ? "choice tabs" : "choice"}>
      <legend class={quiet ? "heard" : undefined}>{legend}</legend>
      <div class="choices">
        {options.map((option) => (
          <label key={option.value}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

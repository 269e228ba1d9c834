import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldAttributes {
  id: string;
  'aria-invalid'?: boolean;
  'aria-describedby'?: string;
}

/** A labelled field, and what is wrong with what it has. */
export function Field({
  label,
  fault,
  class: name = '',
  children,
}: {
  label: string;
  fault?: string | undefined;
  class?: string;
  children: (attributes: FieldAttributes) => ComponentChildren;
}) {
  const id = useId();
  const isWrong = fault !== undefined;
  return (
    <div class={`field ${name}`}>
      <label for={id}>{label}</label>
      {children({ id, ...(isWrong ? { 'aria-invalid': true, 'aria-describedby': `${id}fault` } : {}) })}
      {isWrong && (
        <p class="fault" id={`${id}fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}

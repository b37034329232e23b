import type { FormEvent } from 'react'

/** Member is a user of your Sendbird application. */
export interface Member {
  appId: string
  userId: string
  /** Only if your application demands one. It is kept in memory alone. */
  accessToken: string
}

const env: Record<string, string | undefined> = import.meta.env

export function SignIn({ onSignIn }: { onSignIn: (member: Member) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string) => String(form.get(name) ?? '').trim()
    onSignIn({ appId: value('appId'), userId: value('userId'), accessToken: value('accessToken') })
  }
  return (
    <form className="sign-in" onSubmit={submit}>
      <h1>Chat, with Postern's marks</h1>
      <label>
        Application ID of your Sendbird application
        <input name="appId" required defaultValue={env['VITE_SENDBIRD_APP_ID'] ?? ''} autoComplete="off" />
      </label>
      <label>
        User ID: who you are in the chat
        <input name="userId" required defaultValue={env['VITE_SENDBIRD_USER_ID'] ?? ''} autoComplete="username" />
      </label>
      <label>
        Access token of that user, if your application demands one
        <input name="accessToken" type="password" autoComplete="off" />
      </label>
      <button>Open the chat</button>
    </form>
  )
}
